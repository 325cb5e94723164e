"""Where responses end, by what their heads say; and that the short way says the same as the long way."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from portico.core.answers import BAD_RESPONSE
from portico.core.body import CHUNKED, UNTIL_CLOSE
from portico.core.framing import TUNNEL, ResponseFrame, frame_response
from portico.core.response import RESPONSE_HEAD, ResponseHead, ResponseReader, is_plain, read_response

from .support.framing import response

# -- responses


@pytest.mark.parametrize(
    ("status", "method", "fields", "version", "length", "persistent"),
    [
        (200, b"GET", (b"Content-Length: 5",), b"1.1", 5, True),
        (200, b"GET", (b"Content-Length: 0",), b"1.1", 0, True),
        (200, b"GET", (b"Transfer-Encoding: chunked",), b"1.1", CHUNKED, True),
        (200, b"GET", (), b"1.1", UNTIL_CLOSE, False),
        (404, b"POST", (), b"1.1", UNTIL_CLOSE, False),
        (200, b"GET", (b"Content-Length: 5", b"Connection: close"), b"1.1", 5, False),
        (200, b"GET", (b"Content-Length: 5",), b"1.0", 5, False),
        (200, b"GET", (b"Content-Length: 5", b"Connection: keep-alive"), b"1.0", 5, True),
        (200, b"GET", (b"Connection: keep-alive",), b"1.0", UNTIL_CLOSE, False),
        (200, b"HEAD", (b"Content-Length: 5",), b"1.1", 0, True),
        (200, b"HEAD", (b"Transfer-Encoding: chunked",), b"1.1", 0, True),
        (200, b"HEAD", (), b"1.1", 0, True),
        (200, b"HEAD", (b"Connection: close",), b"1.1", 0, False),
        (204, b"GET", (), b"1.1", 0, True),
        (204, b"GET", (b"Content-Length: 0",), b"1.1", 0, True),
        (204, b"GET", (b"Content-Length: 5",), b"1.1", 0, False),
        (204, b"GET", (b"Transfer-Encoding: chunked",), b"1.1", 0, False),
        (304, b"GET", (b"Content-Length: 5",), b"1.1", 0, True),
        (304, b"GET", (), b"1.1", 0, True),
        (100, b"POST", (), b"1.1", 0, True),
        (103, b"GET", (b"Link: x",), b"1.1", 0, True),
        (205, b"GET", (b"Content-Length: 0",), b"1.1", 0, True),
        (200, b"CONNECT", (), b"1.1", TUNNEL, False),
        (299, b"CONNECT", (b"Content-Length: 5",), b"1.1", TUNNEL, False),
        (407, b"CONNECT", (b"Content-Length: 5",), b"1.1", 5, True),
        (999, b"GET", (b"Content-Length: 5",), b"1.1", 5, True),
    ],
)
def test_a_response_says_where_it_ends(
    status: int, method: bytes, fields: tuple[bytes, ...], version: bytes, length: int, persistent: bool
) -> None:
    frame = frame_response(response(*fields, status=status, version=version), method, False)
    assert isinstance(frame, ResponseFrame)
    assert (frame.length, frame.persistent) == (length, persistent)


def test_a_switch_only_where_it_was_asked_for() -> None:
    head = response(b"Upgrade: websocket", b"Connection: upgrade", status=101)
    assert frame_response(head, b"GET", False) is BAD_RESPONSE
    frame = frame_response(head, b"GET", True)
    assert isinstance(frame, ResponseFrame)
    assert frame.length == TUNNEL


@pytest.mark.parametrize("field", [b"Connection: x", b"Keep-Alive: timeout=5", b"Proxy-Connection: x", b"Upgrade: h2c"])
def test_hop_by_hop_fields_are_seen(field: bytes) -> None:
    frame = frame_response(response(b"Content-Length: 1", field), b"GET", False)
    assert isinstance(frame, ResponseFrame)
    assert frame.named == (frozenset((b"x",)) if field == b"Connection: x" else frozenset())
    plain = frame_response(response(b"Content-Length: 1", b"X: y"), b"GET", False)
    assert isinstance(plain, ResponseFrame)
    assert plain.named is None


SOUND_HEADS = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
    b"HTTP/1.0 200 OK\r\n\r\n",
    b"HTTP/1.1 200\r\n\r\n",
    b"HTTP/1.1 200 \r\n\r\n",
    b"HTTP/1.1 404 Not\tFound \xe4\r\nX:\r\nY: \xff\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.9 999 x\r\n\r\n",
]
BAD_HEADS = [
    b"HTTP/1.1 200 OK\nContent-Length: 5\n\n",
    b"HTTP/1.1 200 OK\r\nX: y\n\r\n",
    b"HTTP/1.1 200 OK\r\nX: y\rZ: z\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX: y\r\n folded\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX: y\r\n\tfolded\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX : y\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n: y\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX: \0\r\n\r\n",
    b"HTTP/1.1 200 O\x01K\r\n\r\n",
    b"HTTP/1.1 20 OK\r\n\r\n",
    b"HTTP/1.1 2000 OK\r\n\r\n",
    b"HTTP/1.1 099 OK\r\n\r\n",
    b"HTTP/1.1 +20 OK\r\n\r\n",
    b"HTTP/1.1  200 OK\r\n\r\n",
    b"HTTP/1.1\t200 OK\r\n\r\n",
    b"HTTP/2.0 200 OK\r\n\r\n",
    b"HTTP/1.10 200 OK\r\n\r\n",
    b"http/1.1 200 OK\r\n\r\n",
    b"ICY 200 OK\r\n\r\n",
    b"\r\nHTTP/1.1 200 OK\r\n\r\n",
    b"<html>no head</html>\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
]


# -- response heads, whole and in pieces


@pytest.mark.parametrize("head", SOUND_HEADS)
@pytest.mark.parametrize("step", [1, 7, 1000])
def test_a_response_head_in_pieces(head: bytes, step: int) -> None:
    wire = head + b"body\r\n\r\n"
    reader = ResponseReader()
    for end in range(step, len(wire) + step, step):
        found = reader.read(wire[:end])
        assert (found is None) == (end < len(head))
        if found is not None:
            assert found == read_response(head)
            assert isinstance(found, ResponseHead)
            assert found.end == len(head)
            return
    raise AssertionError("never complete")


@pytest.mark.parametrize("head", BAD_HEADS)
@pytest.mark.parametrize("step", [1, 1000])
def test_a_bad_response_head(head: bytes, step: int) -> None:
    assert read_response(head) is None
    assert not is_plain(head)
    reader, found = ResponseReader(), None
    wire = head + b"\r\n\r\n"
    for end in range(step, len(wire) + step, step):
        found = reader.read(wire[:end])
        if found is not None:
            break
    assert found is BAD_RESPONSE


def test_no_http_is_known_at_its_first_byte() -> None:
    assert ResponseReader().read(b"S") is BAD_RESPONSE
    assert ResponseReader().read(b"HTTP/1.1 ") is None
    assert ResponseReader().read(b"HTTP/2") is BAD_RESPONSE


def test_a_response_head_that_never_ends() -> None:
    reader = ResponseReader()
    start = b"HTTP/1.1 200 OK\r\nX: "
    assert reader.read(start + b"x" * (RESPONSE_HEAD - len(start) - 1)) is None
    assert reader.read(start + b"x" * (RESPONSE_HEAD - len(start))) is BAD_RESPONSE
    whole = start + b"x" * (RESPONSE_HEAD - len(start) - 4) + b"\r\n\r\n"
    assert isinstance(ResponseReader().read(whole), ResponseHead)
    assert ResponseReader().read(whole.replace(b"X", b"XX")) is BAD_RESPONSE


FIELD_NAMES = [b"Content-Length", b"content-length", b"Transfer-Encoding", b"Connection", b"connection", b"Keep-Alive"]
FIELD_NAMES += [b"Proxy-Connection", b"Upgrade", b"X-Y", b"Cookie", b"Trailer", b"Content-Type", b"Transfer-Encodings"]
FIELD_VALUES = [b"5", b"5, 5", b"chunked", b"Chunked", b"close", b"keep-alive", b"Keep-Alive", b"upgrade", b"", b"x: y", b" 5"]
LINES = st.lists(st.tuples(st.sampled_from(FIELD_NAMES), st.sampled_from([b":", b": ", b":\t"]), st.sampled_from(FIELD_VALUES)))


# -- the short way says the same as the long way


@given(LINES, st.sampled_from([b"1.1", b"1.0", b"1.2"]), st.sampled_from([100, 200, 204, 304, 404, 500, 600]))
@settings(max_examples=400, deadline=None)
def test_a_plain_response_is_what_it_seems(lines: list[tuple[bytes, bytes, bytes]], version: bytes, status: int) -> None:
    fields = b"".join(b"".join(line) + b"\r\n" for line in lines)
    wire = b"HTTP/%b %d OK\r\n%b\r\nbody" % (version, status, fields)
    found = is_plain(wire)
    if found is None:
        return
    head = read_response(wire)
    assert head is not None
    assert found.end() == head.end
    frame = frame_response(head, b"GET", False)
    assert isinstance(frame, ResponseFrame)
    assert frame.length == (CHUNKED if found[1] is None else int(found[1]))
    assert frame.persistent
    assert version == b"1.1"
    assert frame.named is None or frame.named <= {b"keep-alive"}


@pytest.mark.parametrize(
    ("fields", "plain"),
    [
        ((b"Content-Length: 5",), True),
        ((b"content-length: 5",), True),
        ((b"Transfer-Encoding: chunked",), True),
        ((b"Server: x", b"Connection: keep-alive", b"Content-Length: 5", b"Cookie: y", b"Date: z"), True),
        ((b"Content-Length: 5", b"Connection: close"), False),
        ((b"Content-Length: 5", b"Connection: keep-alive, x"), False),
        ((b"Content-Length: 5", b"Keep-Alive: x"), False),
        ((b"Content-Length: 5", b"Content-Length: 5"), False),
        ((b"Content-Length: 5", b"Transfer-Encoding: chunked"), False),
        ((b"Transfer-Encoding: chunked", b"Content-Length: 5"), False),
        ((b"Upgrade: x", b"Content-Length: 5"), False),
        ((), False),
    ],
)
def test_the_usual_responses_go_the_short_way(fields: tuple[bytes, ...], plain: bool) -> None:
    wire = b"HTTP/1.1 200 OK\r\n" + b"".join(field + b"\r\n" for field in fields) + b"\r\n"
    assert bool(is_plain(wire)) is plain
