"""The rooms that this replica owns, and how it comes to own them.

The router sends all who want a room to one replica. When replicas come or go that is another one: there the first who comes
makes it ask for the room, the owner closes the room's connections (1012) and lets go, and all meet again where the router sends
them now. A room that has just come stays for `HOLD`, so that two routers which disagree for a moment do not tear it apart.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from . import codes
from .room import Room
from .roombell import Bell
from .roomlog import SUFFIX, RoomLog, TakenElsewhere, sweep
from .roomoptions import RoomOptions
from .roomwords import Join, Publish
from .seats import MemberLike, RoomFull, Seat

__all__ = ["HOLD", "MOVED", "Hub"]

HOLD = 0.5
"""Seconds that a room stays at least."""
LOOK = 0.05
"""Seconds between two tries to take a room that another replica still has; every tenth rings again."""
RING_EACH = 10
SWEEP_EACH = 600.0
"""Seconds between two looks for rooms that were quiet for too long."""
MOVED = "the room has moved: connect again"


class Rings(Protocol):
    """See `Bell`."""

    def start(self) -> None: ...

    def ring(self, room: str) -> None: ...

    def stop(self) -> None: ...


MakeBell = Callable[[Path, str, Any, Callable[[str], None]], Rings]


class Hub:
    """All rooms of one mount, in this process."""

    log = Logger()

    def __init__(
        self, folder: Path, replica: str, options: RoomOptions, clock: Any, now: Callable[[], float] = time.time,
        make_bell: MakeBell = Bell,
    ) -> None:  # fmt: skip
        """`folder` is shared by all replicas; `clock` is the reactor; `now` is the time of day."""
        self._folder, self.options, self._clock, self._now = folder, options, clock, now
        self._bell = make_bell(folder, replica, clock, self.wanted)
        self._rooms: dict[str, tuple[Room, float]] = {}
        self._coming: dict[str, list[Deferred[Room]]] = {}
        self._calls: dict[str, IDelayedCall] = {}
        self._sweeping: IDelayedCall | None = None

    def start(self) -> None:
        """
        Raises:
            OSError: the folder cannot be used.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._bell.start()
        self._sweep()

    def stop(self) -> None:
        """Let go of everything."""
        for name in list(self._rooms):
            self.let_go(name, codes.GOING_AWAY, "going away")
        for call in (*self._calls.values(), *([self._sweeping] if self._sweeping else [])):
            call.cancel()
        self._calls.clear()
        self._sweeping = None
        self._bell.stop()

    # -- to have a room

    def enter(self, name: str, connection: MemberLike, word: Join, user: str | None) -> "Deferred[Seat]":
        """See `seats.Rooms`."""
        return self.room(name).addCallback(self._seat, connection, word, user)

    def _seat(self, room: Room, connection: MemberLike, word: Join, user: str | None) -> Seat:
        member = room.join(connection, word, user)
        if member is None:
            raise RoomFull
        return _Seat(self, room, member, connection)

    def room(self, name: str) -> "Deferred[Room]":
        """The room, when it is ours. Fails with TakenElsewhere after `take_time` seconds, NoMoreRooms or OSError."""
        if name in self._rooms:
            return succeed(self._rooms[name][0])
        waiting: Deferred[Room] = Deferred()
        first = name not in self._coming
        self._coming.setdefault(name, []).append(waiting)
        if first:
            self._try(name, 0)
        return waiting

    def _try(self, name: str, tries: int) -> None:
        self._calls.pop(name, None)
        options = self.options
        try:
            log = RoomLog(self._folder / f"{name}{SUFFIX}", options.history, options.history_bytes, options.max_rooms)
        except TakenElsewhere as problem:
            if tries * LOOK >= options.take_time:
                self._fail(name, problem)
                return
            if tries % RING_EACH == 0:
                self._bell.ring(name)
            self._calls[name] = self._clock.callLater(LOOK, self._try, name, tries + 1)
        except Exception as problem:  # whatever it is, those who wait are told, and the next one may try
            self._fail(name, problem)
        else:
            room = Room(name, log, self._now, options.max_members)
            self._rooms[name] = (room, self._clock.seconds())
            for waiting in self._coming.pop(name):
                waiting.callback(room)
            if tries:
                self.left(room)  # who wanted it may have gone meanwhile

    def _fail(self, name: str, problem: Exception) -> None:
        for waiting in self._coming.pop(name):
            waiting.errback(problem)

    # -- to let go of it

    def wanted(self, name: str) -> None:
        """Another replica wants the room."""
        if name not in self._rooms or name in self._calls:
            return
        rest = self._rooms[name][1] + HOLD - self._clock.seconds()
        if rest > 0:
            self._calls[name] = self._clock.callLater(rest, self.let_go, name, codes.SERVICE_RESTART, MOVED)
        else:
            self.let_go(name, codes.SERVICE_RESTART, MOVED)

    def left(self, room: Room) -> None:
        """A member has left; an empty room is nobody's."""
        if not len(room) and self.owns(room):
            self.let_go(room.name, codes.NORMAL, "")

    def let_go(self, name: str, code: int, reason: str) -> None:
        """Close the room's connections, all at once, and give the room up."""
        call = self._calls.pop(name, None)
        if call is not None and call.active():
            call.cancel()
        found = self._rooms.pop(name, None)
        if found is None:
            return
        room, _ = found
        room.close(code, reason)

    def owns(self, room: Room) -> bool:
        """Whether it is still ours."""
        return self._rooms.get(room.name, (None, 0))[0] is room

    def _sweep(self) -> None:
        removed = sweep(self._folder, self._now() - self.options.keep)
        if removed:
            self.log.info("{count} rooms were quiet for long and are gone", count=removed)
        self._sweeping = self._clock.callLater(SWEEP_EACH, self._sweep)


@dataclass(frozen=True, slots=True)
class _Seat:
    """See `seats.Seat`."""

    hub: Hub
    room: Room
    member: str
    connection: MemberLike

    def publish(self, word: Publish) -> None:
        if self.hub.owns(self.room):
            self.room.publish(self.member, word)

    def leave(self) -> None:
        self.room.leave(self.member, self.connection)
        self.hub.left(self.room)

    def going_away(self) -> None:
        """The whole room moves together."""
        if self.hub.owns(self.room):
            self.hub.let_go(self.room.name, codes.GOING_AWAY, "going away")
