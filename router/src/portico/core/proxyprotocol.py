"""The PROXY protocol, versions 1 and 2: who is at the other end of a connection that came through somebody's proxy.

`decode` is three-valued: the header, None for "I need more", or `Malformed` raised as soon as the bytes cannot become one. A
header may come in any pieces, single bytes included. It is bounded (version 1: 107 bytes, as specified; version 2: `LARGEST`),
and read strictly, as it is what access rules and logs believe.

The addresses count only where `source` is there. LOCAL, UNKNOWN, Unix sockets and datagrams say nothing of a client that
TCP knows: whoever asks then goes by the connection's own addresses, as the specification wants it.

Extensions (TLVs) of version 2 are passed over within their bounds; a CRC32C among them is checked.

Specification: "The PROXY protocol", HAProxy, sections 2.1 and 2.2.
"""

import re
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple

from .crc32c import crc32c

__all__ = ["LARGEST", "Address", "Malformed", "Proxied", "decode", "encode_v1", "encode_v2"]

Address = tuple[str, int]
"""Numeric host and port."""

LARGEST = 4_096
"""Largest header of version 2, in bytes. The format allows for 65,551; senders are asked to stay within one segment."""
LARGEST_V1 = 107
"""Largest header of version 1, in bytes, its line end included."""

_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
_FIXED = 16  # signature, version and command, family and protocol, length
_LOCAL, _PROXY = 0x20, 0x21
_CRC32C = 0x03
_ADDRESSES = {0x00: 0, 0x10: 12, 0x20: 36, 0x30: 216}  # family -> bytes
_STREAM, _DATAGRAM = 0x01, 0x02

_PORT = r"(0|[1-9][0-9]{0,4})"
_line = re.compile(rf"PROXY (TCP4|TCP6) (\S++) (\S++) {_PORT} {_PORT}\r\n").fullmatch


class Malformed(ValueError):
    """Not a PROXY header; the text says why. The connection is closed, as nobody knows whose it is."""


class Proxied(NamedTuple):
    """A header, decoded."""

    source: Address | None
    """Where the client connected from; None where the header does not say."""
    destination: Address | None
    """Where it connected to."""
    end: int
    """Length of the header in bytes; what follows is the client's."""


def decode(buffer: bytes) -> Proxied | None:
    """The header at the beginning of `buffer`, or None if more is needed.

    Raises:
        Malformed: there is none, or it is unsound.
    """
    if buffer.startswith(b"P"):
        return _decode_v1(buffer)
    if not buffer.startswith(_SIGNATURE[: len(buffer)]):
        raise Malformed("neither signature")
    _check_fixed(buffer)
    return _decode_v2(buffer) if len(buffer) >= _FIXED else None


# -- version 1: one line of text


def _decode_v1(buffer: bytes) -> Proxied | None:
    if not buffer.startswith(b"PROXY "[: len(buffer)]):
        raise Malformed("neither signature")
    end = buffer.find(b"\n", 0, LARGEST_V1) + 1
    if not end:
        if len(buffer) >= LARGEST_V1:
            raise Malformed(f"version 1: no line end within {LARGEST_V1} bytes")
        return None
    line = buffer[:end].decode("latin-1")
    if re.fullmatch(r"PROXY UNKNOWN(?: [^\r\n]*+)?+\r\n", line):
        return Proxied(None, None, end)
    found = _line(line)
    if found is None:
        raise Malformed("version 1: not the line that it should be")
    kind = IPv4Address if found[1] == "TCP4" else IPv6Address
    return Proxied(_parsed(kind, found[2], found[4]), _parsed(kind, found[3], found[5]), end)


def _parsed(kind: type[IPv4Address | IPv6Address], host: str, port: str) -> Address:
    try:
        if "%" in host:
            raise ValueError("an address with a zone")
        address = kind(host)
    except ValueError:
        raise Malformed("version 1: not an address of its family") from None
    if int(port) > 65_535:
        raise Malformed("version 1: not a port")
    return str(address), int(port)


# -- version 2: binary


def _check_fixed(buffer: bytes) -> None:
    """Refuse what of the fixed part is there already and can only be wrong."""
    if len(buffer) > 12 and buffer[12] not in (_LOCAL, _PROXY):
        raise Malformed("version 2: unknown version or command")
    if len(buffer) > 13 and buffer[12] == _PROXY and (buffer[13] & 0xF0 not in _ADDRESSES or buffer[13] & 0x0F > _DATAGRAM):
        raise Malformed("version 2: unknown family or protocol")


def _decode_v2(buffer: bytes) -> Proxied | None:
    family, protocol = buffer[13] & 0xF0, buffer[13] & 0x0F
    end = _FIXED + int.from_bytes(buffer[14:16], "big")
    if end > LARGEST:
        raise Malformed(f"version 2: larger than {LARGEST} bytes")
    speaks = buffer[12] == _PROXY and family != 0
    if speaks and end < _FIXED + _ADDRESSES[family]:
        raise Malformed("version 2: too short for its addresses")
    if len(buffer) < end:
        return None
    if not speaks:
        return Proxied(None, None, end)  # to be skipped whole, whatever stands in it
    _check_extensions(buffer[:end], _FIXED + _ADDRESSES[family])
    if protocol != _STREAM or family == 0x30:
        return Proxied(None, None, end)
    size, kind = (4, IPv4Address) if family == 0x10 else (16, IPv6Address)
    at = _FIXED + 2 * size
    source, destination = kind(buffer[_FIXED : _FIXED + size]), kind(buffer[_FIXED + size : at])
    ports = int.from_bytes(buffer[at : at + 2], "big"), int.from_bytes(buffer[at + 2 : at + 4], "big")
    return Proxied((str(source), ports[0]), (str(destination), ports[1]), end)


def _check_extensions(header: bytes, at: int) -> None:
    checksum_at = 0
    while at < len(header):
        size = int.from_bytes(header[at + 1 : at + 3], "big")
        if at + 3 + size > len(header):
            raise Malformed("version 2: an extension goes beyond the header")
        if header[at] == _CRC32C:
            if size != 4 or checksum_at:
                raise Malformed("version 2: a malformed checksum")
            checksum_at = at + 3
        at += 3 + size
    if checksum_at:
        given = int.from_bytes(header[checksum_at : checksum_at + 4], "big")
        if crc32c(header[:checksum_at] + bytes(4) + header[checksum_at + 4 :]) != given:
            raise Malformed("version 2: the checksum is wrong")


# -- writing


def encode_v1(source: Address | None, destination: Address | None) -> bytes:
    """The line of version 1; UNKNOWN where an address is not given. An IPv4 address beside an IPv6 one is written as IPv6.

    Raises:
        ValueError: a host is not numeric.
    """
    if source is None or destination is None:
        return b"PROXY UNKNOWN\r\n"
    ours, theirs = _of_one_family(source[0], destination[0])
    return f"PROXY TCP{ours.version} {ours} {theirs} {source[1]} {destination[1]}\r\n".encode("ascii")


def encode_v2(source: Address | None, destination: Address | None, checksum: bool = False) -> bytes:
    """The header of version 2; LOCAL where an address is not given. With `checksum` it carries a CRC32C.

    Raises:
        ValueError: a host is not numeric.
        OverflowError: a port is out of range.
    """
    if source is None or destination is None:
        command, family, block = _LOCAL, 0, b""
    else:
        ours, theirs = _of_one_family(source[0], destination[0])
        command, family = _PROXY, (0x10 if ours.version == 4 else 0x20) | _STREAM
        block = ours.packed + theirs.packed + source[1].to_bytes(2, "big") + destination[1].to_bytes(2, "big")
    if checksum:
        block += bytes([_CRC32C, 0, 4, 0, 0, 0, 0])
    header = _SIGNATURE + bytes([command, family]) + len(block).to_bytes(2, "big") + block
    return header[:-4] + crc32c(header).to_bytes(4, "big") if checksum else header


def _of_one_family(source: str, destination: str) -> tuple[IPv4Address | IPv6Address, IPv4Address | IPv6Address]:
    ours, theirs = ip_address(source.partition("%")[0]), ip_address(destination.partition("%")[0])
    return (ours, theirs) if ours.version == theirs.version else (_as_v6(ours), _as_v6(theirs))


def _as_v6(address: IPv4Address | IPv6Address) -> IPv6Address:
    return address if isinstance(address, IPv6Address) else IPv6Address(b"\0" * 10 + b"\xff\xff" + address.packed)
