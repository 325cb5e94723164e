"""A broker by Redis: what `backplane.Broker` asks for, in scripts, over the link of `redislink`."""

from collections.abc import Callable
from math import ceil
from secrets import token_hex
from typing import Any

from twisted.internet.defer import Deferred

from .backplane import Anew, Came, Event, Heard, Left, Present, Said, Snapshot
from .redislink import Link
from .redisscripts import JOIN, LEAVE, OPEN, PUBLISH, RENEW, SWEEP
from .roomoptions import RoomOptions

__all__ = ["RedisBroker"]


class RedisBroker:
    """See `Broker`."""

    def __init__(self, address: str, names: str, replica: str, options: RoomOptions, reactor: Any) -> None:
        self._names, self._options = names, options
        self._keep = ceil(options.keep)
        self._link = Link(address, names, replica, reactor)

    def start(self, heard: Heard, back: Callable[[], None]) -> None:
        def told(room: str, text: bytes) -> None:
            step = read_step(text)
            if step is not None:
                heard(room, *step)

        self._link.start(told, back)

    def stop(self) -> None:
        self._link.stop()

    def open(self, room: str, since: int) -> "Deferred[Snapshot]":
        options = self._options
        return self._link.listen(room, OPEN, token_hex(4), since, options.max_rooms, self._keep).addCallback(read_snapshot)

    def close(self, room: str) -> None:
        self._link.unlisten(room)

    def publish(self, room: str, epoch: str, key: str, body: bytes) -> "Deferred[int]":
        options = self._options
        return self._link.call(room, PUBLISH, epoch, key, body, options.history, options.history_bytes, self._keep)

    def join(self, room: str, epoch: str, present: Present) -> "Deferred[None]":
        most = self._options.max_members
        return self._link.call(room, JOIN, epoch, present.member, present.token, present.facts, most, self._keep)

    def leave(self, room: str, member: str, token: str) -> "Deferred[None]":
        return self._link.call(room, LEAVE, member, token)

    def renew(self, room: str, epoch: str) -> "Deferred[None]":
        return self._link.call(room, RENEW, epoch, token_hex(4))

    def sweep(self, room: str) -> "Deferred[None]":
        return self._link.call(room, SWEEP, self._keep)


def read_step(text: bytes) -> tuple[str, int, Event] | None:
    """A line of the feed: epoch, turn, and what has happened; None where it is not one of ours."""
    try:
        epoch, turn, kind, *rest = text.split(b" ", 3)
        return epoch.decode(), int(turn), _EVENTS[kind](*rest)
    except (KeyError, ValueError, TypeError):
        return None


def _said(rest: bytes) -> Event:
    seq, key, body = rest.split(b" ", 2)
    return Said(int(seq), key.decode(), body)


def _came(rest: bytes) -> Event:
    member, value = rest.split(b" ", 1)
    return Came(_present(member, value))


def _left(rest: bytes) -> Event:
    member, token = rest.split(b" ")
    return Left(member.decode(), token.decode())


_EVENTS: dict[bytes, Callable[..., Event]] = {b"said": _said, b"came": _came, b"left": _left, b"anew": Anew}


def _present(member: bytes, value: bytes) -> Present:
    token, facts = value.split(b" ", 1)
    return Present(member.decode(), token.decode(), facts)


def read_snapshot(found: Any) -> Snapshot:
    """What OPEN has answered."""
    (epoch, turn, seq, gone), entries, members = found
    said = [Said(int(number.partition(b"-")[0]), fields[1].decode(), fields[3]) for number, fields in entries]
    present = [_present(*pair) for pair in zip(members[::2], members[1::2], strict=True)]
    return Snapshot(epoch.decode(), int(turn), int(seq), int(gone), said, present)
