"""The recogniser of request heads: whole, byte by byte, with trailing bytes; and what must never be accepted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from portico.core.answers import BAD_REQUEST, HEAD_TOO_LARGE, MANY_FIELDS, NOT_HTTP, VERSION, Answer
from portico.core.head import Head, HeadReader, read_head

LIMIT = 16_384
TRAILING = b"\x00\nbody, or the next request\r\n\r\nGET /"

SOUND = {
    "no fields": (b"GET / HTTP/1.1\r\n\r\n", Head(b"GET", b"/", 1, b"", 18)),
    "one field": (b"GET /x?y HTTP/1.1\r\nHost: h\r\n\r\n", Head(b"GET", b"/x?y", 1, b"Host: h\r\n", 30)),
    "1.0": (b"GET /x HTTP/1.0\r\n\r\n", Head(b"GET", b"/x", 0, b"", 19)),
    "empty line first": (b"\r\nGET / HTTP/1.1\r\n\r\n", Head(b"GET", b"/", 1, b"", 20)),
    "odd method": (b"VERSION-CONTROL * HTTP/1.1\r\n\r\n", Head(b"VERSION-CONTROL", b"*", 1, b"", 30)),
    "empty value": (b"GET / HTTP/1.1\r\nA:\r\nB: \t\r\n\r\n", Head(b"GET", b"/", 1, b"A:\r\nB: \t\r\n", 28)),
    "high bytes": (b"GET /\xc3\xa9 HTTP/1.1\r\nA: \xff\r\n\r\n", Head(b"GET", b"/\xc3\xa9", 1, b"A: \xff\r\n", 26)),
    "absolute form": (b"GET http://h/x HTTP/1.1\r\n\r\n", Head(b"GET", b"http://h/x", 1, b"", 27)),
    "authority form": (b"CONNECT h:1 HTTP/1.1\r\n\r\n", Head(b"CONNECT", b"h:1", 1, b"", 24)),
}

REFUSED = {
    "bare LF after the request line": (b"GET / HTTP/1.1\nHost: h\r\n\r\n", BAD_REQUEST),
    "bare LF everywhere": (b"GET / HTTP/1.1\nHost: h\n\n", BAD_REQUEST),
    "bare LF after a field": (b"GET / HTTP/1.1\r\nHost: h\nA: b\r\n\r\n", BAD_REQUEST),
    "bare LF as the empty line": (b"GET / HTTP/1.1\r\nHost: h\r\n\n", BAD_REQUEST),
    "bare CR in the request line": (b"GET /\rx HTTP/1.1\r\n\r\n", BAD_REQUEST),
    "bare CR in a field": (b"GET / HTTP/1.1\r\nA: b\rC: d\r\n\r\n", BAD_REQUEST),
    "CR CR LF": (b"GET / HTTP/1.1\r\nA: b\r\r\n\r\n", BAD_REQUEST),
    "folded line": (b"GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", BAD_REQUEST),
    "folded with a tab": (b"GET / HTTP/1.1\r\nA: b\r\n\tc\r\n\r\n", BAD_REQUEST),
    "space before the colon": (b"GET / HTTP/1.1\r\nA : b\r\n\r\n", BAD_REQUEST),
    "space before the first field": (b"GET / HTTP/1.1\r\n A: b\r\n\r\n", BAD_REQUEST),
    "field without a name": (b"GET / HTTP/1.1\r\n: b\r\n\r\n", BAD_REQUEST),
    "field without a colon": (b"GET / HTTP/1.1\r\nA\r\n\r\n", BAD_REQUEST),
    "space in a field's name": (b"GET / HTTP/1.1\r\nA B: c\r\n\r\n", BAD_REQUEST),
    "NUL in the target": (b"GET /\0 HTTP/1.1\r\n\r\n", BAD_REQUEST),
    "NUL in a field's name": (b"GET / HTTP/1.1\r\nA\0: b\r\n\r\n", BAD_REQUEST),
    "NUL in a field's value": (b"GET / HTTP/1.1\r\nA: b\0c\r\n\r\n", BAD_REQUEST),
    "escape in a field's value": (b"GET / HTTP/1.1\r\nA: \x1b\r\n\r\n", BAD_REQUEST),
    "DEL in a field's value": (b"GET / HTTP/1.1\r\nA: \x7f\r\n\r\n", BAD_REQUEST),
    "DEL in the target": (b"GET /\x7f HTTP/1.1\r\n\r\n", BAD_REQUEST),
    "high byte in a field's name": (b"GET / HTTP/1.1\r\n\xc3\xa9: b\r\n\r\n", BAD_REQUEST),
    "two spaces after the method": (b"GET  / HTTP/1.1\r\n\r\n", BAD_REQUEST),
    "two spaces after the target": (b"GET /  HTTP/1.1\r\n\r\n", BAD_REQUEST),
    "tab for a space": (b"GET /\tHTTP/1.1\r\n\r\n", BAD_REQUEST),
    "space after the version": (b"GET / HTTP/1.1 \r\n\r\n", BAD_REQUEST),
    "no version": (b"GET /\r\n\r\n", BAD_REQUEST),
    "no target": (b"GET HTTP/1.1\r\n\r\n", BAD_REQUEST),
    "small letters in the version": (b"GET / http/1.1\r\n\r\n", BAD_REQUEST),
    "version of many digits": (b"GET / HTTP/1.10\r\n\r\n", BAD_REQUEST),
    "version without a dot": (b"GET / HTTP/1\r\n\r\n", VERSION),
    "other protocol's version": (b"GET / RTSP/1.0\r\n\r\n", BAD_REQUEST),
    "HTTP/2 preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", VERSION),
    "HTTP/3.0": (b"GET / HTTP/3.0\r\n\r\n", VERSION),
    "HTTP/2 without minor": (b"GET / HTTP/2\r\n\r\n", VERSION),
    "HTTP/0.9 spelled out": (b"GET / HTTP/0.9\r\n\r\n", VERSION),
    "TLS ClientHello": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", NOT_HTTP),
    "SSH": (b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", NOT_HTTP),
    "two empty lines first": (b"\r\n\r\nGET / HTTP/1.1\r\n\r\n", NOT_HTTP),
    "LF first": (b"\nGET / HTTP/1.1\r\n\r\n", NOT_HTTP),
    "CR first": (b"\rGET / HTTP/1.1\r\n\r\n", NOT_HTTP),
    "space first": (b" GET / HTTP/1.1\r\n\r\n", NOT_HTTP),
    "digit in the method": (b"G3T / HTTP/1.1\r\n\r\n", NOT_HTTP),
    "NUL in the method": (b"G\0T / HTTP/1.1\r\n\r\n", NOT_HTTP),
    "method without end": (b"A" * 33 + b" / HTTP/1.1\r\n\r\n", NOT_HTTP),
    "method only": (b"GET\r\n\r\n", NOT_HTTP),
}


def in_pieces(data: bytes, cuts: list[int], limit: int = LIMIT) -> Head | Answer | None:
    """What the reader says at the first piece that decides; the pieces end at `cuts` and at the end."""
    reader = HeadReader(limit)
    for cut in (*cuts, len(data)):
        verdict = reader.read(data[:cut])
        if verdict is not None:
            return verdict
    return None


def by_byte(data: bytes, limit: int = LIMIT) -> Head | Answer | None:
    return in_pieces(data, list(range(1, len(data))), limit)


@pytest.mark.parametrize(("data", "head"), SOUND.values(), ids=SOUND)
def test_sound_whole_by_byte_and_with_trailing_bytes(data: bytes, head: Head) -> None:
    assert head.end == len(data)
    for ways in (read_head, lambda data: in_pieces(data, []), by_byte):
        assert ways(data) == head
        assert ways(data + TRAILING) == head


@pytest.mark.parametrize(("data", "head"), SOUND.values(), ids=SOUND)
def test_every_beginning_of_a_sound_head_needs_more(data: bytes, head: Head) -> None:
    for end in range(len(data)):
        assert read_head(data[:end]) is None
        assert in_pieces(data[:end], []) is None
        assert by_byte(data[:end]) is None


@pytest.mark.parametrize(("data", "answer"), REFUSED.values(), ids=REFUSED)
def test_refused_whole_by_byte_and_with_trailing_bytes(data: bytes, answer: Answer) -> None:
    assert read_head(data) is None
    assert read_head(data + TRAILING) is None
    assert in_pieces(data, []) is answer
    assert in_pieces(data + TRAILING, []) is answer
    assert by_byte(data) is answer
    assert by_byte(data + TRAILING) is answer


@pytest.mark.parametrize("byte", [*range(0x09), *range(0x0B, 0x0D), *range(0x0E, 0x20), 0x7F])
def test_no_control_byte_anywhere(byte: int) -> None:
    control = bytes((byte,))
    for place in (b"G%sT / HTTP/1.1\r\n\r\n", b"GET /%s HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nA%s: b\r\n\r\n"):
        assert isinstance(by_byte(place % control), Answer)
        assert read_head(place % control) is None
    assert by_byte(b"GET / HTTP/1.1\r\nA: b%sc\r\n\r\n" % control) is BAD_REQUEST


TOKEN = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
names = st.text(TOKEN, min_size=1, max_size=8).map(str.encode)
values = st.lists(st.sampled_from([b"\t", *(bytes((n,)) for n in (*range(0x20, 0x7F), *range(0x80, 0x100)))])).map(b"".join)
methods = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZabcxyz-_", min_size=1, max_size=32).map(str.encode)
targets = st.lists(st.integers(0x21, 0xFF).filter(lambda n: n != 0x7F), min_size=1, max_size=20).map(bytes)


@st.composite
def heads(draw: st.DrawFn) -> tuple[bytes, Head]:
    method, target, minor = draw(methods), draw(targets), draw(st.integers(0, 9))
    fields = b"".join(b"%s:%s\r\n" % field for field in draw(st.lists(st.tuples(names, values), max_size=4)))
    before = draw(st.sampled_from([b"", b"\r\n"]))
    data = before + b"%s %s HTTP/1.%d\r\n%s\r\n" % (method, target, minor, fields)
    return data, Head(method, target, minor, fields, len(data))


@given(heads(), st.binary(max_size=20), st.data())
def test_any_split_gives_the_same_head(made: tuple[bytes, Head], after: bytes, data: st.DataObject) -> None:
    whole, head = made
    cuts = sorted(data.draw(st.sets(st.integers(1, len(whole) + len(after)), max_size=12)))
    assert read_head(whole + after) == head
    assert in_pieces(whole + after, cuts) == head


LIKELY = [b"GET / HTTP/1.1", b"\r\n", b"\r\n", b"\r", b"\n", b" ", b":", b"A", b"b", b"\0", b"\t", b"HTTP/1.0", b"POST /"]


@given(st.lists(st.sampled_from(LIKELY), max_size=14).map(b"".join), st.data())
def test_any_split_of_anything_gives_the_same_verdict_on_soundness(whole: bytes, data: st.DataObject) -> None:
    """Which answer a bad request gets may depend on how it comes; whether it is let through must not."""
    cuts = sorted(data.draw(st.sets(st.integers(1, max(1, len(whole))), max_size=12)))
    head = read_head(whole)
    verdict = in_pieces(whole, [cut for cut in cuts if cut <= len(whole)])
    if head is not None:
        assert verdict == head
    else:
        assert not isinstance(verdict, Head)


def head_of(size: int) -> bytes:
    frame = b"GET / HTTP/1.1\r\nA: %s\r\n\r\n"
    return frame % (b"x" * (size - len(frame) + 2))


def test_the_limit_is_exact() -> None:
    for read in (lambda data: in_pieces(data, [], 256), lambda data: by_byte(data, 256)):
        assert isinstance(read(head_of(256)), Head)
        assert isinstance(read(head_of(256) + b"body" * 100), Head)
        assert read(head_of(257)) is HEAD_TOO_LARGE


def test_a_request_line_without_end_is_too_large() -> None:
    for end in (255, 256, 257):
        expected = HEAD_TOO_LARGE if end >= 256 else None
        assert by_byte((b"GET /" + b"x" * 300)[:end], 256) is expected


def test_fields_without_end_are_too_large() -> None:
    assert by_byte(b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 100, 256) is HEAD_TOO_LARGE


class Counted(bytes):
    """Counts the bytes that are looked at."""

    looked_at = 0

    def find(self, *args: object) -> int:
        at = super().find(*args)  # type: ignore[arg-type]
        start = int(str(args[1])) if len(args) > 1 else 0
        Counted.looked_at += (at if at >= 0 else len(self)) - start
        return at

    def __getitem__(self, key: object) -> bytes:  # type: ignore[override]
        found = super().__getitem__(key)  # type: ignore[call-overload]
        Counted.looked_at += len(found) if isinstance(found, bytes) else 1
        return found  # type: ignore[no-any-return]


@pytest.mark.parametrize("most", [0, 1, 5])
@pytest.mark.parametrize("more", [0, 1])
@pytest.mark.parametrize("after", [b"", b"body", b"GET / HTTP/1.1\r\nA: b\r\n\r\n"])
def test_the_number_of_fields_is_exact(most: int, more: int, after: bytes) -> None:
    data = b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * (most + more) + b"\r\n"
    whole = HeadReader(LIMIT, most).read(data + after)
    assert whole == MANY_FIELDS if more else isinstance(whole, Head)
    pieces = HeadReader(LIMIT, most)
    assert all(pieces.read(data[:end]) is None for end in range(1, len(data)))
    assert pieces.read(data) == whole


@pytest.mark.parametrize(
    "data", [b"GET /" + b"x" * 4_000, b"GET / HTTP/1.1\r\nA: " + b"b" * 4_000, b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 600]
)
def test_no_byte_is_looked_at_again_and_again(data: bytes) -> None:
    Counted.looked_at = 0
    reader = HeadReader(LIMIT)
    for end in range(1, len(data) + 1):
        assert reader.read(Counted(data[:end])) is None
    assert Counted.looked_at < 10 * len(data)


@pytest.mark.parametrize(
    "data",
    [
        b"A" * (1 << 20),
        b"GET " + b"/" * (1 << 20),
        b"GET " + b"/" * (1 << 20) + b" HTTP/1.1",
        b"GET / HTTP/1.1\r\n" + b"A" * (1 << 20),
        b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * (1 << 18) + b"\0",
        b"GET / HTTP/1.1\r\nA:" + b" " * (1 << 20) + b"\0\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: " + b"b\r\nA:" * (1 << 18) + b"\n\r\n",
    ],
)
def test_long_hostile_input_is_decided_in_one_pass(data: bytes) -> None:
    """An expression that went back would need 10^12 steps here, and the test would never end."""
    assert read_head(data) is None
    assert isinstance(HeadReader(LIMIT).read(data), Answer)
