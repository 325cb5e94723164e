"""ClientHellos: real ones, in all sizes of records and segments, and every way of being malformed."""

import random
import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st
from portico.core.clienthello import LARGEST, HelloReader, NotTls, TlsFacts, make_hello

HEADER = 5


def real(name: str | None = "a.example.org", alpn: list[str] | None = None, ceiling: ssl.TLSVersion | None = None) -> bytes:
    """What OpenSSL sends."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    if alpn:
        context.set_alpn_protocols(alpn)
    if ceiling:
        context.maximum_version = ceiling
    out = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), out, server_hostname=name).do_handshake()
    return out.read()


def reframed(hello: bytes, size: int) -> bytes:
    """The same message in records of `size` bytes."""
    message = hello[HEADER:]
    pieces = [message[at : at + size] for at in range(0, len(message), size)]
    return b"".join(b"\x16\x03\x01" + len(piece).to_bytes(2, "big") + piece for piece in pieces)


def read(data: bytes) -> TlsFacts | None:
    return HelloReader().read(data)


def agreed(data: bytes) -> TlsFacts | str | None:
    """What is found, or why not: the same whole, byte by byte, and with trailing bytes."""
    outcomes = []
    for deliver in (whole, byte_by_byte):
        try:
            outcomes.append(deliver(data))
        except NotTls as error:
            outcomes.append(str(error))
    assert outcomes[0] == outcomes[1]
    if isinstance(outcomes[0], TlsFacts):
        assert read(data + b"\x14\x03\x03\x00\x01\x01") == outcomes[0]
        assert read(data + b"\xffanything") == outcomes[0]
    return outcomes[0]


def whole(data: bytes) -> TlsFacts | None:
    return read(data)


def byte_by_byte(data: bytes) -> TlsFacts | None:
    reader = HelloReader()
    for end in range(len(data)):
        found = reader.read(data[:end])
        assert found is None, f"decided at {end} of {len(data)} bytes"
    return reader.read(data)


MANY = [f"protocol-{number}" for number in range(400)]


@pytest.mark.parametrize("record", [1, 2, 3, 4, 5, 37, 255, 1 << 14])
@pytest.mark.parametrize(
    ("name", "alpn"),
    [("a.example.org", ["h2", "http/1.1"]), ("a.example.org", None), (None, ["h2"]), (None, None)],
)
def test_real_ones_in_any_records(name: str | None, alpn: list[str] | None, record: int) -> None:
    expected = TlsFacts(name and name.encode(), tuple(each.encode() for each in alpn or ()))
    assert agreed(reframed(real(name, alpn), record)) == expected


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_both_versions(version: ssl.TLSVersion) -> None:
    assert agreed(real("x.org", ["h2"], version)) == TlsFacts(b"x.org", (b"h2",))


def test_one_that_fills_several_records() -> None:
    hello = real("a.example.org", MANY)
    assert len(hello) > 5_000
    for record in (1_000, 4_999):
        assert read(reframed(hello, record)) == TlsFacts(b"a.example.org", tuple(name.encode() for name in MANY))


def test_one_larger_than_a_record_can_be() -> None:
    names = tuple(b"%0200d" % number for number in range(200))
    message = make_message(extension(16, vector(2, b"".join(vector(1, name) for name in names))))
    assert len(message) > 1 << 14
    assert read(framed(message)) == TlsFacts(None, names)


def test_the_name_in_normal_form() -> None:
    assert agreed(make_hello(TlsFacts(b"A.Example.ORG.", ()))) == TlsFacts(b"a.example.org", ())


def test_what_make_hello_makes_a_real_server_reads() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    named = []
    context.sni_callback = lambda _, name, __: named.append(name)  # type: ignore[assignment]
    incoming = ssl.MemoryBIO()
    incoming.write(make_hello(TlsFacts(b"a.example.org", (b"h2",))))
    with pytest.raises(ssl.SSLError):  # it has no groups to offer
        context.wrap_bio(incoming, ssl.MemoryBIO(), server_side=True).do_handshake()
    assert named == ["a.example.org"]


def test_single_bytes_cost_no_more_than_their_number() -> None:
    """The reader keeps its place: a slice for each call, never the whole again."""

    class Counting(bytes):
        looked_at = 0

        def __getitem__(self, key: object) -> bytes:  # type: ignore[override]
            found = super().__getitem__(key)  # type: ignore[index]
            Counting.looked_at += len(found)  # type: ignore[arg-type]
            return found  # type: ignore[return-value]

    data = real("a.example.org", MANY)
    reader = HelloReader()
    for end in range(1, len(data) + 1):
        found = reader.read(Counting(data[:end]))
    assert found is not None
    assert Counting.looked_at < 2 * len(data)


# -- malformed


def vector(size: int, data: bytes) -> bytes:
    return len(data).to_bytes(size, "big") + data


def extension(kind: int, data: bytes) -> bytes:
    return kind.to_bytes(2, "big") + vector(2, data)


def make_message(
    extensions: bytes | None = b"",
    *,
    version: bytes = b"\x03\x03",
    session: bytes = b"",
    suites: bytes = b"\x13\x01",
    compression: bytes = b"\0",
    rest: bytes = b"",
) -> bytes:
    body = version + bytes(32) + vector(1, session) + vector(2, suites) + vector(1, compression)
    body += b"" if extensions is None else vector(2, extensions)
    return b"\x01" + vector(3, body + rest)


def framed(message: bytes) -> bytes:
    return reframed(bytes(HEADER) + message, 1 << 14)


def sni(*names: bytes, kind: int = 0) -> bytes:
    return extension(0, vector(2, b"".join(bytes([kind]) + vector(2, name) for name in names)))


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (make_message(None), TlsFacts(None, ())),
        (make_message(b""), TlsFacts(None, ())),
        (make_message(extension(0x0A0A, b"") + extension(0xFAFA, b"\0") + sni(b"x")), TlsFacts(b"x", ())),
        (make_message(sni(b"x"), suites=b"\x0a\x0a\x13\x01"), TlsFacts(b"x", ())),
        (
            make_message(extension(16, vector(2, vector(1, b"\x0a\x0a") + vector(1, b"h2")))),
            TlsFacts(None, (b"\x0a\x0a", b"h2")),
        ),
        (make_message(sni(b"x", kind=7)), TlsFacts(None, ())),
        (make_message(session=bytes(32)), TlsFacts(None, ())),
        (make_message(version=b"\x03\x00"), TlsFacts(None, ())),
    ],
)
def test_what_is_let_through(message: bytes, expected: TlsFacts) -> None:
    assert agreed(framed(message)) == expected


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (make_message(version=b"\x02\x00"), "version"),
        (make_message(session=bytes(33)), "session id"),
        (make_message(suites=b""), "cipher suites"),
        (make_message(suites=b"\x13"), "cipher suites"),
        (make_message(compression=b""), "compression"),
        (make_message(rest=b"\0"), "more in the message"),
        (make_message(sni(b"x") + sni(b"y")), "twice"),
        (make_message(extension(5, b"") * 2), "twice"),
        (make_message(b"\0\0\0"), "cut short"),
        (make_message(b"\0\0\0\x09abc"), "cut short"),
        (make_message(extension(0, b"")), "cut short"),
        (make_message(extension(0, vector(2, b""))), "does not fill"),
        (make_message(extension(0, vector(2, b"\0\0\1x") + b"y")), "does not fill"),
        (make_message(sni(b"x", b"y")), "malformed"),
        (make_message(sni(b"")), "malformed"),
        (make_message(sni(b"a\0b")), "malformed"),
        (make_message(sni(b"a b\x7f")), "malformed"),
        (make_message(sni("bücher.org".encode())), "malformed"),
        (make_message(extension(16, vector(2, b""))), "does not fill"),
        (make_message(extension(16, vector(2, vector(1, b"")))), "empty"),
        (make_message(extension(16, vector(2, b"\x09h2"))), "cut short"),
        (b"\x02" + make_message()[1:], "not a ClientHello"),
        (b"\x01\0\0\0", "cut short"),
    ],
)
def test_what_is_refused(message: bytes, why: str) -> None:
    outcome = agreed_on_refusal(framed(message))
    assert why in outcome


def agreed_on_refusal(data: bytes) -> str:
    """Whole and byte by byte it is refused, perhaps earlier in pieces; with trailing bytes too."""
    with pytest.raises(NotTls) as refused:
        read(data)
    with pytest.raises(NotTls):
        read(data + b"trailing")
    reader = HelloReader()
    with pytest.raises(NotTls) as in_pieces:
        for end in range(len(data) + 1):
            assert reader.read(data[:end]) is None
    assert str(in_pieces.value) == str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n",
        b"\x80\x2e\x01\x03\x01",  # the hello of SSL 2
        b"\x17\x03\x03\x00\x01\x01",
        b"\x16\x02",
        b"\x16\x03\x01\x00\x00",
        b"\x16\x03\x01\x40\x01",
        b"\x16\x03\x01\x00\x01\x02",
        b"\x16\x03\x01\x00\x02\x01\x00\x15",  # an alert in the middle
        framed(make_message() + b"\0"),  # a record longer than the message
    ],
)
def test_refused_at_the_byte_that_decides(data: bytes) -> None:
    agreed_on_refusal(data)


def test_a_record_that_is_longer_than_its_message_is_refused_before_it_is_all_there() -> None:
    message = make_message()
    data = b"\x16\x03\x01" + (len(message) + 5).to_bytes(2, "big") + message
    with pytest.raises(NotTls, match="more in the record"):
        read(data)


def test_the_largest() -> None:
    announced = b"\x16\x03\x01\x00\x04\x01"
    assert read(announced + (LARGEST - 4).to_bytes(3, "big")) is None
    with pytest.raises(NotTls, match="larger"):
        read(announced + (LARGEST - 3).to_bytes(3, "big"))


@given(st.binary(max_size=300), st.lists(st.integers(1, 40), max_size=20))
def test_any_bytes(data: bytes, sizes: list[int]) -> None:
    for candidate in (data, framed(b"\x01" + vector(3, data)), b"\x16\x03\x01" + data):
        outcomes = []
        for steps in ([], sizes):
            reader, at, found = HelloReader(), 0, None
            try:
                for size in (*steps, len(candidate)):
                    at += size
                    found = reader.read(candidate[:at])
                    if found is not None:
                        break
            except NotTls as error:
                outcomes.append(str(error))
            else:
                outcomes.append(str(found))
        assert outcomes[0] == outcomes[1]


@given(st.integers(0, 1 << 30))
def test_real_ones_with_one_byte_changed(seed: int) -> None:
    """Whatever a changed byte makes of it, the answer is one of the three."""
    dice = random.Random(seed)
    data = bytearray(HELLO)
    data[dice.randrange(len(data))] = dice.randrange(256)
    try:
        found = read(bytes(data))
    except NotTls:
        return
    assert found is None or isinstance(found, TlsFacts)


HELLO = real("a.example.org", ["h2", "http/1.1"])
