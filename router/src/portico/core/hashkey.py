"""What rendezvous hashing goes by: the client's address, or a part of the path that names a room, a document, an upload."""

from ipaddress import IPv6Address

from .preface import Address

__all__ = ["by_client", "by_segment"]

_PREFIX = 8
"""Bytes of an IPv6 address that count: the 64 bits of the network. The rest changes by the day on many clients."""


def by_client(client: Address) -> bytes:
    """The client's IPv4 address, or the /64 of its IPv6 address; not the port, so all its connections meet."""
    host = client[0].partition("%")[0]
    if ":" not in host:
        return host.encode("utf-8")
    address = IPv6Address(host)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped).encode("ascii")
    return address.packed[:_PREFIX]


def by_segment(path: bytes, number: int) -> bytes | None:
    """Segment `number` of a path in its normal form, counted from 1: the third of `/ws/rooms/NAME` is NAME.

    None where the path has no such segment; the caller then takes another way of balancing.
    """
    segments = path.split(b"/", number + 1)
    return (segments[number] or None) if len(segments) > number else None
