"""The wire: what is encoded is decoded again, and nothing else is."""

import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from svckit.handoff.codec import (
    CONNECTION_OVERHEAD,
    MESSAGE_LIMIT,
    VERSION,
    Connection,
    Draining,
    Farewell,
    Hello,
    Load,
    Malformed,
    Message,
    Routes,
    Taken,
    Tls,
    Welcome,
    decode,
    encode,
    encode_routes,
)

U32 = st.integers(0, 2**32 - 1)
U64 = st.integers(0, 2**64 - 1)
PORTS = st.integers(0, 65535)
NAMES = st.text(max_size=60)
V6 = st.binary(min_size=16, max_size=16).map(lambda raw: socket.inet_ntop(socket.AF_INET6, raw))
ADDRESSES = st.tuples(st.ip_addresses(v=4).map(str) | V6, PORTS)
PATTERNS = st.lists(st.tuples(st.text(max_size=200), st.booleans()), max_size=20).map(tuple)
MESSAGES = st.one_of(
    st.builds(Hello, st.integers(0, 255), U32, NAMES, NAMES),
    st.builds(Welcome, st.integers(0, 255)),
    st.builds(Routes, st.booleans(), PATTERNS),
    st.builds(Taken, U64, U32),
    st.builds(Load, U32),
    st.just(Draining()),
    st.just(Farewell()),
)
TLS = st.none() | st.builds(Tls, NAMES, NAMES)
CONNECTIONS = st.builds(Connection, U64, ADDRESSES, ADDRESSES, st.binary(max_size=300), TLS)

EXAMPLES: list[tuple[Message, str]] = [
    (Hello(1, 1000, "static", "a-7"), "01 01 000003e8 06 737461746963 03 612d37"),
    (Welcome(1), "02 01"),
    (Routes(True, (("/a/", True), ("=/", False))), "03 01 01 0003 2f612f 00 0002 3d2f"),
    (
        Connection(5, ("192.0.2.1", 80), ("2001:db8::1", 443), b"GET"),
        "04 0000000000000005 00 04 c0000201 0050 06 20010db8000000000000000000000001 01bb 474554",
    ),
    (
        Connection(6, ("192.0.2.1", 80), ("192.0.2.2", 443), b"GET", Tls("a.b", "http/1.1")),
        "04 0000000000000006 01 04 c0000201 0050 04 c0000202 01bb 03 612e62 08 687474702f312e31 474554",
    ),
    (Taken(2**40, 3), "05 0000010000000000 00000003"),
    (Load(9), "06 00000009"),
    (Draining(), "07"),
    (Farewell(), "08"),
]


@pytest.mark.parametrize(("message", "packet"), EXAMPLES, ids=lambda each: type(each).__name__)
def test_the_bytes_of_the_specification(message: Message, packet: str) -> None:
    assert encode(message) == bytes.fromhex(packet)
    assert decode(bytes.fromhex(packet)) == message
    assert type(decode(bytes.fromhex(packet))) is type(message)


@given(MESSAGES | CONNECTIONS)
def test_there_and_back(message: Message) -> None:
    decoded = decode(encode(message))
    assert (type(decoded), decoded) == (type(message), message)


@given(MESSAGES)
def test_cut_short_is_malformed(message: Message) -> None:
    packet = encode(message)
    cuts = {len(encode(Routes(True, message.patterns[:n]))) for n in range(20)} if isinstance(message, Routes) else set()
    for end in range(len(packet)):
        if end not in cuts:  # a shorter list of patterns is a message too
            with pytest.raises(Malformed):
                decode(packet[:end])


@given(CONNECTIONS)
def test_a_connection_without_its_addresses_is_malformed(connection: Connection) -> None:
    packet = encode(connection)
    for end in range(len(packet) - len(connection.unread)):
        with pytest.raises(Malformed):
            decode(packet[:end])


@given(MESSAGES, st.binary(min_size=1, max_size=2))
def test_trailing_bytes_are_malformed(message: Message, more: bytes) -> None:
    with pytest.raises(Malformed):
        decode(encode(message) + more)


@given(CONNECTIONS, st.binary(max_size=9))
def test_what_trails_a_connection_is_unread_bytes(connection: Connection, more: bytes) -> None:
    assert decode(encode(connection) + more) == connection._replace(unread=connection.unread + more)


@given(st.binary(max_size=80))
def test_any_bytes_are_a_message_or_malformed(packet: bytes) -> None:
    try:
        message = decode(packet)
    except Malformed:
        return
    assert decode(encode(message)) == message


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        b"\x00",
        b"\x09",
        b"\xff" * 20,
        struct.pack(">BQB", 4, 1, 0) + b"\x05" + bytes(20),  # an address of family 5
        b"\x01\x01\x00\x00\x00\x01\x01\xff\x00",  # a name that is not UTF-8
        b"\x03\x01\x01\x00\x01\xff",  # a pattern that is not UTF-8
    ],
)
def test_malformed(packet: bytes) -> None:
    with pytest.raises(Malformed, match=f"a packet of {len(packet)} bytes"):
        decode(packet)


def test_a_zone_is_not_sent() -> None:
    message = decode(encode(Connection(1, ("fe80::1%eth0", 1), ("::", 2), b"")))
    assert isinstance(message, Connection)
    assert message.client == ("fe80::1", 1)


@given(ADDRESSES, ADDRESSES)
def test_the_overhead_is_never_more_than_its_name_says(client: tuple[str, int], listener: tuple[str, int]) -> None:
    assert len(encode(Connection(2**64 - 1, client, listener, b""))) <= CONNECTION_OVERHEAD


def joined(packets: list[bytes]) -> tuple[tuple[str, bool], ...]:
    parts = [decode(packet) for packet in packets]
    assert all(isinstance(part, Routes) for part in parts)
    assert [part.last for part in parts if isinstance(part, Routes)] == [False] * (len(parts) - 1) + [True]
    return tuple(pattern for part in parts if isinstance(part, Routes) for pattern in part.patterns)


def test_no_routes_are_one_packet() -> None:
    assert joined(encode_routes(())) == ()


def test_a_large_route_table_goes_in_parts_within_the_limit() -> None:
    patterns = tuple((f"/{'x' * 1000}/{n}/", n % 2 == 0) for n in range(400))
    packets = encode_routes(patterns)
    assert len(packets) > 3
    assert all(len(packet) <= MESSAGE_LIMIT for packet in packets)
    assert joined(packets) == patterns


def test_a_part_may_fill_the_limit_to_the_last_byte() -> None:
    room = MESSAGE_LIMIT - 2
    first = (("w" * 60_000, True), ("x" * 60_000, False))
    rest = room - 2 * 60_003 - 3
    exact = (*first, ("y" * rest, True))
    assert [len(packet) for packet in encode_routes(exact)] == [MESSAGE_LIMIT]
    over = (*first, ("y" * (rest + 1), True))
    assert len(encode_routes(over)) == 2
    assert joined(encode_routes(over)) == over


def test_the_version_is_one() -> None:
    assert VERSION == 1


@pytest.mark.parametrize("tls", [None, Tls("one.example", "http/1.1"), Tls("", "")])
@pytest.mark.parametrize("seal", [b"s", b"s" * 16, b"s" * 255])
def test_a_sealed_connection(tls: Tls | None, seal: bytes) -> None:
    connection = Connection(7, ("192.0.2.7", 50_000), ("::1", 80), b"unread", tls, seal)
    packet = encode(connection)
    assert decode(packet) == connection
    assert len(packet) - len(b"unread") <= CONNECTION_OVERHEAD
    for size in range(packet.index(b"unread")):
        with pytest.raises(Malformed):
            decode(packet[:size])


def test_a_flag_that_has_no_meaning() -> None:
    packet = bytearray(encode(Connection(7, ("192.0.2.7", 50_000), ("::1", 80), b"unread")))
    packet[9] = 4
    with pytest.raises(Malformed, match="flags"):
        decode(bytes(packet))
