"""Every way in which a ClientHello can be malformed, and what is let through all the same."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from portico.core.clienthello import LARGEST, HelloReader, NotTls, TlsFacts

from .support.hello import agreed, extension, framed, make_message, read, real, sni, vector


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
