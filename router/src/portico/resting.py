"""A connection that has been served and waits, as one string of bytes.

It may be between two requests, or a tunnel through which nothing moves. As objects it takes 2 KiB: sockets, arrival, head,
flows, callbacks. As a record it takes 89 bytes, the client's address, and what the access log will want to know of its last
request. What thousands of connections have in common (listener, service, route, replica) is interned and counted.

The descriptors count all the while (`places`). Whoever has a record has the only trace of them. `dormant` is the same for those
that wait for their first head.
"""

import re
import struct
from typing import NamedTuple

from .arrival import Address, Arrival, HandedBack
from .core.head import Head
from .interned import Interned
from .places import ClientSocket, Places
from .service import RoutedService

__all__ = ["Resting", "Woken", "can_rest", "when_of"]

NO_OTHER = -1
"""Where there is no second descriptor."""

_record = struct.Struct("<dddQQiHHIHBB")
"""When; since when the connection is here, and when it was decided on, in seconds; bytes up and down; the other descriptor; the
number of the common facts; the client's port; lengths of target, Host line, method and the client's host, which follow: host,
method, target, line."""
_when, _other = struct.Struct("<d"), struct.Struct("<40xi")
_host_line = re.compile(rb"^host:[^\r]*", re.IGNORECASE | re.MULTILINE).search


def when_of(record: bytes) -> float:
    """What `lay_down` was told."""
    when: float = _when.unpack_from(record)[0]
    return when


def other_of(record: bytes) -> int:
    """The second descriptor, or `NO_OTHER`."""
    other: int = _other.unpack_from(record)[0]
    return other


def can_rest(arrival: Arrival) -> bool:
    """Whether a record can hold all of it.

    Not that of the plain side of a TLS session, of which more is known, and not one that a replica has handed back: as long as
    its object lives a second descriptor of the same connection is not taken (`provenance`).
    """
    sock = arrival.sock
    counts = type(sock) is ClientSocket and sock.places is not None
    return counts and not isinstance(arrival, HandedBack) and arrival.tls_facts is None


class _Facts(NamedTuple):
    """What many have in common."""

    kind: type[Arrival]
    places: Places
    counted: bool
    listener: Address
    returned: bool
    named: bool
    service: RoutedService | None
    route: str
    server: object


class Woken(NamedTuple):
    """What a record was made of."""

    arrival: Arrival
    """Its head has no other fields than Host."""
    server: object
    up: int
    down: int


class Resting:
    """Makes records of connections, and connections of records."""

    def __init__(self) -> None:
        self._facts: Interned[_Facts] = Interned()

    def record(self, arrival: Arrival, server: object, up: int, down: int, when: float, other: int = NO_OTHER) -> bytes | None:
        """The record of one that can rest; None where it cannot be made. `arrival` is as it was, and to be laid down next.

        Args:
            server: who serves it; anything that is hashable.
            up, down: bytes that have gone through so far.
            when: its caller's affair.
            other: the descriptor of its server, where it has one of its own.
        """
        sock, head = arrival.sock, arrival.head
        assert isinstance(sock, ClientSocket)
        assert sock.places is not None
        method, target, line = (b"", b"", b"") if head is None else (head.method, head.target, _host_of(head.fields))
        host = arrival.client[0].encode("utf-8", "surrogateescape")
        if len(line) > 0xFFFF or len(host) > 0xFF:
            return None
        known = _Facts(
            type(arrival),
            sock.places,
            sock.who is not None,
            arrival.listener,
            arrival.returned,
            arrival.named,
            arrival.service,
            arrival.route,
            server,
        )
        number = self._facts.take(known)
        if number is None:
            return None
        sizes = len(target), len(line), len(method), len(host)
        packed = _record.pack(when, arrival.since, arrival.decided_at, up, down, other, number, arrival.client[1], *sizes)
        return b"".join((packed, host, method, target, line))

    def wake(self, descriptor: int, record: bytes) -> Woken:
        """What the record was made of, which is no more. Its socket closes `descriptor` when it is dropped."""
        _, since, decided_at, up, down, _, number, port, to, lines, verb, name = _record.unpack_from(record)
        facts = self._facts.value(number)
        begin = _record.size + name
        host = record[_record.size : begin].decode("utf-8", "surrogateescape")
        sock = facts.places.pick_up(descriptor, host if facts.counted else None)
        self._facts.give_back(number)
        arrival = facts.kind(sock, (host, port), facts.listener, since, b"", facts.returned)
        arrival.named, arrival.service, arrival.route = facts.named, facts.service, facts.route
        arrival.decided_at = decided_at
        if verb:
            at = begin + verb
            fields = record[at + to :] + b"\r\n" if lines else b""
            arrival.head = Head(record[begin:at], record[at : at + to], 1, fields, 0)
        return Woken(arrival, facts.server, up, down)


def _host_of(fields: bytes) -> bytes:
    """The first Host field, without its end."""
    if fields.startswith((b"Host:", b"host:")):
        return fields[: fields.find(b"\r")]
    found = _host_line(fields)
    return b"" if found is None else found[0]
