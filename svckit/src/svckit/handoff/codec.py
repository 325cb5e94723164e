"""The handoff wire, version 1: what router and replica say to each other over their link. Bytes in, messages out.

A link is a Unix socket of type SOCK_SEQPACKET: one message is one packet, in order, none lost while the link lives. The
first byte names the message, integers are big-endian. Descriptors travel beside a message (SCM_RIGHTS), one at most.

    HELLO       replica → router   version u8, capacity u32, service u8+text, replica u8+text
    WELCOME     router → replica   version u8; with the descriptor of the revocation cell
    ROUTES      router → replica   last part u8 (0 or 1), then for each pattern: yours u8 (0 or 1), u16+text
    CONNECTION  both ways          number u64, flags u8, client address, listener address, for TLS (flag 1) the name that the
                                   client asked for u8+text and the protocol agreed on u8+text, where it is sealed (flag 2) the
                                   seal u8+bytes, unread bytes to the end; with the descriptor of the connection
    TAKEN       both ways          number u64 (all connections up to it), open connections u32
    LOAD        replica → router   open connections u32
    DRAINING    replica → router   nothing
    FAREWELL    router → replica   nothing

An address is a family byte (4 or 6), 4 or 16 bytes, and a port u16. `docs/handoff-protocol.md` says what the messages mean.
"""

import socket
import struct
from functools import lru_cache

from .messages import (
    Address,
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
)

__all__ = [
    "CONNECTION_OVERHEAD",
    "MESSAGE_LIMIT",
    "VERSION",
    "Address",
    "Connection",
    "Draining",
    "Farewell",
    "Hello",
    "Load",
    "Malformed",
    "Message",
    "Routes",
    "Taken",
    "Tls",
    "Welcome",
    "decode",
    "encode",
    "encode_connection",
    "encode_routes",
    "encode_taken",
]

VERSION = 1
MESSAGE_LIMIT = 131_072
"""Bytes; no message is longer. Twisted reads 64 KiB at a time, so what a service hands back fits."""
CONNECTION_OVERHEAD = 832
"""Bytes; a CONNECTION is never longer than its unread bytes and this."""

_HELLO, _WELCOME, _ROUTES, _CONNECTION, _TAKEN, _LOAD, _DRAINING, _FAREWELL = range(1, 9)
_BY_TLS, _SEALED = 1, 2
_hello = struct.Struct(">BBI")
_pair = struct.Struct(">BB")
_pattern = struct.Struct(">BH")
_connection = struct.Struct(">BQB")
_by_ipv4 = struct.Struct(">BQBB4sHB4sH")  # nearly every CONNECTION: no flags, and both addresses of four bytes
_taken = struct.Struct(">BQI")
_load = struct.Struct(">BI")
_port = struct.Struct(">H")


def encode(message: Message) -> bytes:
    """The packet of one message."""
    match message:
        case Connection(number, client, listener, unread, tls, seal):
            return encode_connection(number, client, listener, unread, tls, seal)
        case Taken(number, open_):
            return encode_taken(number, open_)
        case Load(open_):
            return _load.pack(_LOAD, open_)
        case Hello(version, capacity, service, replica):
            return _hello.pack(_HELLO, version, capacity) + _text(service) + _text(replica)
        case Welcome(version):
            return _pair.pack(_WELCOME, version)
        case Routes(last, patterns):
            return _pair.pack(_ROUTES, last) + b"".join(_pattern_of(*pattern) for pattern in patterns)
        case Draining():
            return bytes((_DRAINING,))
        case Farewell():
            return bytes((_FAREWELL,))


def encode_taken(number: int, open_: int) -> bytes:
    """The packet of a `Taken`, without making one."""
    return _taken.pack(_TAKEN, number, open_)


def encode_connection(
    number: int, client: Address, listener: Address, unread: bytes, tls: Tls | None, seal: bytes = b""
) -> bytes:
    """The packet of a `Connection`, without making one: there are more of these than of all the others."""
    if tls is None and not seal:
        return b"%b%b%b%b" % (_connection.pack(_CONNECTION, number, 0), _address(client), _listener(listener), unread)
    ends = _address(client) + _listener(listener)
    flags = (0 if tls is None else _BY_TLS) | (_SEALED if seal else 0)
    facts = b"" if tls is None else _text(tls.name) + _text(tls.protocol)
    sealed = bytes((len(seal),)) + seal if seal else b""
    return _connection.pack(_CONNECTION, number, flags) + ends + facts + sealed + unread


def encode_routes(patterns: tuple[tuple[str, bool], ...]) -> list[bytes]:
    """The route table as packets, each within the message limit."""
    packets: list[bytes] = []
    part: list[bytes] = []
    size = 2
    for pattern in patterns:
        packed = _pattern_of(*pattern)
        if size + len(packed) > MESSAGE_LIMIT:
            packets.append(_pair.pack(_ROUTES, 0) + b"".join(part))
            part, size = [], 2
        part.append(packed)
        size += len(packed)
    packets.append(_pair.pack(_ROUTES, 1) + b"".join(part))
    return packets


def decode(packet: bytes) -> Message:
    """The message in one packet.

    Raises:
        Malformed: it is not a message of this version.
    """
    try:
        return _decode(packet)
    except (struct.error, IndexError, UnicodeDecodeError, OSError, ValueError) as error:
        raise Malformed(f"a packet of {len(packet)} bytes beginning {packet[:8].hex()}: {error}") from None


def _decode(packet: bytes) -> Message:
    kind = packet[0]
    if kind == _TAKEN:
        _, number, open_ = _taken.unpack(packet)
        return tuple.__new__(Taken, (number, open_))  # as its own constructor does, in a third of the time
    if kind == _CONNECTION:
        _, number, flags, family, host, port, other, our_host, our_port = _by_ipv4.unpack_from(packet)
        if not flags and family == other == 4:
            client, listener = (socket.inet_ntoa(host), port), (socket.inet_ntoa(our_host), our_port)
            return tuple.__new__(Connection, (number, client, listener, packet[_by_ipv4.size :], None, b""))
        client, at = _read_address(packet, _connection.size)
        listener, at = _read_address(packet, at)
        if not flags:
            return Connection(number, client, listener, packet[at:])
        if flags & ~(_BY_TLS | _SEALED):
            raise ValueError("unknown flags")
        tls, seal = None, b""
        if flags & _BY_TLS:
            name, at = _read_text(packet, at)
            protocol, at = _read_text(packet, at)
            tls = Tls(name, protocol)
        if flags & _SEALED:
            seal, at = _read_bytes(packet, at)
        return Connection(number, client, listener, packet[at:], tls, seal)
    if kind == _LOAD:
        return Load(*_load.unpack(packet)[1:])
    if kind == _HELLO:
        _, version, capacity = _hello.unpack_from(packet)
        service, at = _read_text(packet, _hello.size)
        replica, at = _read_text(packet, at)
        _ends(packet, at)
        return Hello(version, capacity, service, replica)
    if kind == _WELCOME:
        return Welcome(_pair.unpack(packet)[1])
    if kind == _ROUTES:
        return _read_routes(packet)
    if kind in (_DRAINING, _FAREWELL):
        _ends(packet, 1)
        return Draining() if kind == _DRAINING else Farewell()
    raise ValueError("unknown kind")


def _ends(packet: bytes, at: int) -> None:
    if at != len(packet):
        raise ValueError("trailing bytes")


def _text(text: str) -> bytes:
    raw = text.encode()
    return bytes((len(raw),)) + raw


def _read_text(packet: bytes, at: int) -> tuple[str, int]:
    raw, end = _read_bytes(packet, at)
    return raw.decode(), end


def _read_bytes(packet: bytes, at: int) -> tuple[bytes, int]:
    end = at + 1 + packet[at]
    if end > len(packet):
        raise ValueError("cut short")
    return packet[at + 1 : end], end


def _pattern_of(pattern: str, yours: bool) -> bytes:
    raw = pattern.encode()
    return _pattern.pack(yours, len(raw)) + raw


def _read_routes(packet: bytes) -> Routes:
    patterns, at = [], 2
    last = packet[1]
    while at < len(packet):
        yours, size = _pattern.unpack_from(packet, at)
        at += _pattern.size
        if at + size > len(packet):
            raise ValueError("cut short")
        patterns.append((packet[at : at + size].decode(), bool(yours)))
        at += size
    return Routes(bool(last), tuple(patterns))


def _address(address: Address) -> bytes:
    host, port = address
    if ":" in host:
        return b"\x06" + socket.inet_pton(socket.AF_INET6, host.partition("%")[0]) + _port.pack(port)
    return b"\x04" + socket.inet_aton(host) + _port.pack(port)


_listener = lru_cache(maxsize=64)(_address)  # the same few again and again


def _read_address(packet: bytes, at: int) -> tuple[Address, int]:
    family = packet[at]
    if family == 4:
        host, end = socket.inet_ntoa(packet[at + 1 : at + 5]), at + 5
    elif family == 6:
        host, end = socket.inet_ntop(socket.AF_INET6, packet[at + 1 : at + 17]), at + 17
    else:
        raise ValueError("unknown address family")
    return (host, _port.unpack_from(packet, end)[0]), end + 2
