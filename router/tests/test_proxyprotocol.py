"""The PROXY protocol, both versions: read strictly, in any pieces, and written."""

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from portico.core.crc32c import crc32c
from portico.core.proxyprotocol import LARGEST, LARGEST_V1, Address, Malformed, Proxied, decode, encode_v1, encode_v2

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
V4 = bytes([192, 0, 2, 1, 198, 51, 100, 2]) + b"\x04\xd2\x01\xbb"
V4_ADDRESSES: tuple[Address, Address] = (("192.0.2.1", 1234), ("198.51.100.2", 443))
V6 = IPv6Address("2001:db8::1").packed + IPv6Address("2001:db8::2").packed + b"\x04\xd2\x01\xbb"
V6_ADDRESSES: tuple[Address, Address] = (("2001:db8::1", 1234), ("2001:db8::2", 443))
NOBODY = (None, None)


def v2(block: bytes, command: int = 0x21, family: int = 0x11) -> bytes:
    return SIGNATURE + bytes([command, family]) + len(block).to_bytes(2, "big") + block


def tlv(kind: int, value: bytes) -> bytes:
    return bytes([kind]) + len(value).to_bytes(2, "big") + value


def summed(block: bytes) -> bytes:
    """With a right checksum as its last extension."""
    header = v2(block + tlv(3, bytes(4)))
    return header[:-4] + crc32c(header).to_bytes(4, "big")


SOUND = [
    (b"PROXY TCP4 192.0.2.1 198.51.100.2 1234 443\r\n", V4_ADDRESSES),
    (b"PROXY TCP4 0.0.0.0 255.255.255.255 0 65535\r\n", (("0.0.0.0", 0), ("255.255.255.255", 65535))),
    (b"PROXY TCP6 2001:db8::1 2001:db8::2 1234 443\r\n", V6_ADDRESSES),
    (b"PROXY TCP6 2001:0DB8:0:0:0:0:0:1 2001:db8::2 1234 443\r\n", V6_ADDRESSES),
    (b"PROXY TCP6 " + b"ffff:" * 7 + b"ffff " + b"ffff:" * 7 + b"ffff 65535 65535\r\n", (("ffff:" * 7 + "ffff", 65535),) * 2),
    (b"PROXY UNKNOWN\r\n", NOBODY),
    (b"PROXY UNKNOWN " + b"ffff:" * 7 + b"ffff " + b"ffff:" * 7 + b"ffff 65535 65535\r\n", NOBODY),
    (v2(V4), V4_ADDRESSES),
    (v2(V6, family=0x21), V6_ADDRESSES),
    (v2(V4 + tlv(0x04, b"") + tlv(0xEE, b"value")), V4_ADDRESSES),
    (v2(V6 + tlv(0x01, b"h2"), family=0x21), V6_ADDRESSES),
    (summed(V4), V4_ADDRESSES),
    (summed(V4 + tlv(0x02, b"host")), V4_ADDRESSES),
    (v2(b"", command=0x20, family=0), NOBODY),
    (v2(b"anything at all", command=0x20, family=0xFF), NOBODY),
    (v2(b"", family=0), NOBODY),
    (v2(bytes(216), family=0x31), NOBODY),
    (v2(V4, family=0x12), NOBODY),
    (v2(V4, family=0x10), NOBODY),
    (v2(V4 + tlv(4, bytes(LARGEST - 16 - 12 - 3))), V4_ADDRESSES),
]


@pytest.mark.parametrize(("header", "addresses"), SOUND)
def test_sound_headers(header: bytes, addresses: tuple[Address | None, Address | None]) -> None:
    for end in range(len(header)):
        assert decode(header[:end]) is None, f"decided at {end} of {len(header)} bytes"
    for trailing in (b"", b"G", b"GET / HTTP/1.1\r\n\r\n", header, b"\0"):
        assert decode(header + trailing) == Proxied(*addresses, len(header))


def test_the_longest_line_is_exactly_as_long_as_specified() -> None:
    longest = b"PROXY UNKNOWN " + b"ffff:" * 7 + b"ffff " + b"ffff:" * 7 + b"ffff 65535 65535\r\n"
    assert len(longest) == LARGEST_V1
    with pytest.raises(Malformed, match="no line end"):
        decode(longest.replace(b"\r\n", b"5\r\n"))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"GET / HTTP/1.1\r\n", "neither"),
        (b"X", "neither"),
        (b"POST", "neither"),
        (b"PROXY\t", "neither"),
        (b"\r\n\r\n\0\r\nQUIT\r", "neither"),
        (b"\n", "neither"),
        (b"PROXY TCP4 192.0.2.1 198.51.100.2 1234 443\n", "not the line"),
        (b"PROXY  TCP4 192.0.2.1 198.51.100.2 1234 443\r\n", "not the line"),
        (b"PROXY TCP4 192.0.2.1 198.51.100.2 1234\r\n", "not the line"),
        (b"PROXY TCP4 192.0.2.1 198.51.100.2 1234 443 \r\n", "not the line"),
        (b"PROXY TCP4 192.0.2.1 198.51.100.2 1234 443 1\r\n", "not the line"),
        (b"PROXY TCP4 192.0.2.1 198.51.100.2 01234 443\r\n", "not the line"),
        (b"PROXY TCP4 192.0.2.1 198.51.100.2 -1 443\r\n", "not the line"),
        (b"PROXY TCP4 192.0.2.1 198.51.100.2 123456 443\r\n", "not the line"),
        (b"PROXY TCP4 192.0.2.1 198.51.100.2 65536 443\r\n", "not a port"),
        (b"PROXY TCP4 192.0.2.01 198.51.100.2 1 443\r\n", "not an address"),
        (b"PROXY TCP4 192.0.2 198.51.100.2 1 443\r\n", "not an address"),
        (b"PROXY TCP4 ::1 ::2 1 443\r\n", "not an address"),
        (b"PROXY TCP6 192.0.2.1 198.51.100.2 1 443\r\n", "not an address"),
        (b"PROXY TCP6 fe80::1%eth0 ::2 1 443\r\n", "not an address"),
        (b"PROXY tcp4 192.0.2.1 198.51.100.2 1 443\r\n", "not the line"),
        (b"PROXY UDP4 192.0.2.1 198.51.100.2 1 443\r\n", "not the line"),
        (b"PROXY UNKNOWNx\r\n", "not the line"),
        (b"PROXY UNKNOWN\n", "not the line"),
        (b"PROXY UNKNOWN a\rb\r\n", "not the line"),
        (b"PROXY \r\n", "not the line"),
        (v2(V4, command=0x11), "unknown version"),
        (v2(V4, command=0x22), "unknown version"),
        (v2(V4, family=0x41), "unknown family"),
        (v2(V4, family=0x13), "unknown family"),
        (v2(V4[:-1]), "too short"),
        (v2(V6[:-1], family=0x21), "too short"),
        (v2(bytes(215), family=0x31), "too short"),
        (v2(V4 + b"\x04"), "beyond"),
        (v2(V4 + b"\x04\0"), "beyond"),
        (v2(V4 + b"\x04\0\x02x"), "beyond"),
        (v2(V4 + tlv(3, bytes(3))), "checksum"),
        (v2(V4 + tlv(3, bytes(4))), "checksum is wrong"),
        (v2(V4 + tlv(3, bytes(4)) * 2), "malformed checksum"),
        (v2(V4 + tlv(4, bytes(LARGEST - 16 - 12 - 2))), "larger"),
    ],
)
def test_malformed_headers(data: bytes, why: str) -> None:
    for candidate in (data, data + b"trailing"):
        with pytest.raises(Malformed, match=why):
            decode(candidate)
    with pytest.raises(Malformed, match=why):
        for end in range(len(data) + 1):
            assert decode(data[:end]) is None


def test_a_changed_byte_under_the_checksum() -> None:
    header = summed(V4)
    kind = len(header) - 7  # changed, it is another extension and no checksum at all
    for at in (at for at in range(16, len(header)) if at != kind):
        changed = header[:at] + bytes([header[at] ^ 1]) + header[at + 1 :]
        with pytest.raises(Malformed):
            decode(changed + bytes(600))


def test_written_lines() -> None:
    assert encode_v1(*V4_ADDRESSES) == b"PROXY TCP4 192.0.2.1 198.51.100.2 1234 443\r\n"
    assert encode_v1(*V6_ADDRESSES) == b"PROXY TCP6 2001:db8::1 2001:db8::2 1234 443\r\n"
    assert encode_v1(("192.0.2.1", 1), ("::2", 2)) == b"PROXY TCP6 ::ffff:192.0.2.1 ::2 1 2\r\n".replace(
        b"::ffff:192.0.2.1", str(IPv6Address("::ffff:192.0.2.1")).encode()
    )
    assert encode_v1(None, V4_ADDRESSES[1]) == b"PROXY UNKNOWN\r\n"
    assert encode_v1(("fe80::1%eth0", 1), ("::2", 2)) == b"PROXY TCP6 fe80::1 ::2 1 2\r\n"


def test_written_headers() -> None:
    assert encode_v2(*V4_ADDRESSES) == v2(V4)
    assert encode_v2(*V6_ADDRESSES) == v2(V6, family=0x21)
    assert encode_v2(*V4_ADDRESSES, checksum=True) == summed(V4)
    assert encode_v2(V4_ADDRESSES[0], None) == v2(b"", command=0x20, family=0)


@pytest.mark.parametrize("encode", [encode_v1, encode_v2])
def test_names_are_not_written(encode: object) -> None:
    with pytest.raises(ValueError, match="does not appear to be"):
        encode(("example.org", 1), ("::1", 2))  # type: ignore[operator]


PORTS = st.integers(0, 65_535)
HOSTS = st.one_of(st.integers(0, 2**32 - 1).map(IPv4Address), st.integers(0, 2**128 - 1).map(IPv6Address)).map(str)


@given(HOSTS, HOSTS, PORTS, PORTS, st.binary(max_size=20))
def test_what_is_written_is_read(source: str, destination: str, port: int, other: int, trailing: bytes) -> None:
    for written in (
        encode_v1((source, port), (destination, other)),
        encode_v2((source, port), (destination, other)),
        encode_v2((source, port), (destination, other), checksum=True),
    ):
        found = decode(written + trailing)
        assert found is not None
        assert found.source is not None
        assert found.destination is not None
        assert found.end == len(written)
        assert (found.source[1], found.destination[1]) == (port, other)
        if (":" in source) == (":" in destination):
            assert (found.source[0], found.destination[0]) == (source, destination)


@given(
    st.binary(max_size=120), st.sampled_from([b"", b"PROXY ", b"PROXY TCP4 ", SIGNATURE, SIGNATURE + b"\x21\x11", v2(V4)[:-6]])
)
def test_any_bytes(data: bytes, beginning: bytes) -> None:
    """Pieces change nothing: the first answer on the way is the answer to the whole."""
    data = beginning + data

    def outcome(end: int) -> object:
        try:
            return decode(data[:end])
        except Malformed:
            return Malformed

    answers = [found for found in map(outcome, range(len(data) + 1)) if found is not None]
    assert (answers[0] if answers else None) == outcome(len(data))
