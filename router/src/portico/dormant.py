"""A connection whose head is not there yet, as one string of bytes.

As objects (socket, arrival, addresses, preface, its reader, callback and timer) it takes 1.3 KiB, and Python's allocator gives
hardly anything back of what thousands of them have had: see `docs/limits.md`. As a record it takes 150 and its bytes.
Nothing is lost in it: how far the head was read is written down too, so no byte is looked at twice.

The descriptor counts all the while (`places`). Whoever has a record has the only trace of it.
"""

import struct

from .arrival import Address, Arrival
from .core.preface import Preface
from .places import ClientSocket, Places

__all__ = ["Dormant", "due_of", "since_of"]

LISTENERS = 256
"""Addresses of listeners that records can name: PROXY headers may name any."""

_record = struct.Struct("<ddIIIHHBB")
"""Deadline and beginning in seconds; the preface's two limits, and how far it was read; the listener's number and the client's
port; flags; the length of the client's host. This and the preface follow."""
_due, _since = struct.Struct("<d"), struct.Struct("<8xd")
_SOUND, _COUNTED, _NAMED = 1, 2, 4


def due_of(record: bytes) -> float:
    """The deadline, by the reactor's clock."""
    due: float = _due.unpack_from(record)[0]
    return due


def since_of(record: bytes) -> float:
    """When it came, by the reactor's clock."""
    since: float = _since.unpack_from(record)[0]
    return since


class Dormant:
    """Makes records of connections, and connections of records."""

    def __init__(self) -> None:
        self._places: Places | None = None
        self._listeners: list[Address] = []

    def lay_down(self, arrival: Arrival, preface: Preface, due: float) -> bytes | None:
        """The record, and `arrival` is no more; None where more is to be known of it than a record holds."""
        sock, place = arrival.sock, preface.place
        if type(arrival) is not Arrival or type(sock) is not ClientSocket or sock.places is None or place is None:
            return None
        if arrival.returned or arrival.tls_facts is not None or arrival.service is not None or arrival.route:
            return None
        listener, host = self._number_of(arrival.listener), arrival.client[0].encode("utf-8", "surrogateescape")
        if listener is None or len(host) > 255 or (self._places is not None and sock.places is not self._places):
            return None
        self._places = sock.places
        flags = (_SOUND if place[1] else 0) | (0 if sock.who is None else _COUNTED) | (_NAMED if arrival.named else 0)
        limit, fields = preface.limits
        known = _record.pack(due, arrival.since, limit, fields, place[0], listener, arrival.client[1], flags, len(host))
        record = b"%b%b%b" % (known, host, preface.data)
        sock.lay_down()
        return record

    def wake(self, descriptor: int, record: bytes) -> tuple[Arrival, Preface]:
        """What the record was made of. Its socket closes `descriptor` when it is dropped."""
        _, since, limit, fields, seen, listener, port, flags, length = _record.unpack_from(record)
        begin = _record.size + length
        client = record[_record.size : begin].decode("utf-8", "surrogateescape"), port
        data = record[begin:]
        assert self._places is not None
        sock = self._places.pick_up(descriptor, client[0] if flags & _COUNTED else None)
        arrival = Arrival(sock, client, self._listeners[listener], since, data)
        arrival.named = bool(flags & _NAMED)
        return arrival, Preface(data, client, limit=limit, most_fields=fields, place=(seen, bool(flags & _SOUND)))

    def _number_of(self, listener: Address) -> int | None:
        if listener not in self._listeners:
            if len(self._listeners) >= LISTENERS:
                return None
            self._listeners.append(listener)
        return self._listeners.index(listener)
