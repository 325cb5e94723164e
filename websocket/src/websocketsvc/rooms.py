"""Rooms, on Autobahn: `/ws/rooms/NAME`. docs/websocket.md has what is promised, and the schema.

rooms.py        a member's connection
roomwords.py    what is said
seats.py        what a connection needs of rooms; there are two kinds:

room.py         a room that this replica owns
roomhub.py      which rooms those are
roomlog.py      what is kept, and the lock that makes somebody the owner
roombell.py     how replicas ask each other for a room

sharedroom.py   a room that lives on a broker, as this replica follows it
sharedhub.py    which rooms those are
backplane.py    what is asked of a broker
redisbroker.py  a broker by Redis, with redislink.py (the connection) and redisscripts.py (the steps)
"""

import re
from typing import Any, ClassVar

from autobahn.twisted.websocket import WebSocketServerProtocol
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from . import codes
from .backplane import BrokerAway, address_from
from .mounts import Place
from .options import RoomsOptions
from .roomhub import Hub
from .roomlog import NoMoreRooms, TakenElsewhere
from .roomoptions import RoomOptions
from .roomwords import Join, Publish, error, read
from .seats import RoomFull, Rooms, Seat
from .sharedhub import SharedHub

__all__ = ["Member"]

log = Logger()

_NAME = re.compile(r"[A-Za-z0-9._~-]{1,64}").fullmatch
EARLY = 16
"""Messages of a client that wait while its room comes."""


class Member(WebSocketServerProtocol):
    """One connection, which becomes a member of a room by its first word."""

    hub: ClassVar[Rooms]
    handshake: Any
    _seat: Seat | None = None
    _coming: "Deferred[Any] | None" = None
    _early: tuple[Publish, ...] = ()
    _late: IDelayedCall | None = None
    _credit = 0.0
    _at = 0.0

    @classmethod
    def for_mount(cls, place: Place) -> type["Member"]:
        """A class of its own for each mount, with the rooms that belong to it."""
        options = place.options_as(RoomOptions)
        if 2 * options.history_bytes > place.limits.max_unsent:
            raise TypeError("options: history_bytes: expected at most half of max_unsent")
        return type("Member", (cls,), {"hub": _rooms(place, options)})

    @staticmethod
    def judge_name(name: str) -> str | None:
        """What is wrong with a room's name."""
        return None if _NAME(name) else "A room's name is 1 to 64 of the letters A to Z and a to z, digits, and . _ ~ -"

    @classmethod
    def mount_started(cls) -> None:
        cls.hub.start()

    @classmethod
    def mount_stopped(cls) -> None:
        cls.hub.stop()

    # -- what a room asks for

    def tell(self, text: bytes) -> None:
        """Send it, unless the connection is closing."""
        if self.state == self.STATE_OPEN:
            self.sendMessage(text, doNotCompress=True)  # the same text goes to many, and packing it anew for each takes long

    def end(self, code: int, reason: str) -> None:
        """Close."""
        if self.state == self.STATE_OPEN:
            self.sendCloseFrame(code, reason.encode())

    # -- Autobahn's

    def onOpen(self) -> None:
        clock, options = self.factory.reactor, self.hub.options
        self._late = clock.callLater(options.join_time, self.end, codes.POLICY, "join first")
        self._credit, self._at = options.burst, clock.seconds()

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        word = "text is spoken here" if isBinary else read(payload)
        if isinstance(word, str):
            self.tell(error("bad-message", word))
        elif isinstance(word, Join):
            self._join(word)
        elif self._coming is None:
            self.tell(error("bad-message", "join first", word.id))
        elif not self._may_speak() or (self._seat is None and len(self._early) >= EARLY):
            self.tell(error("too-fast", "wait a moment", word.id))
        elif self._seat is None:
            self._early += (word,)
        else:
            self._seat.publish(word)

    def _may_speak(self) -> bool:
        options, now = self.hub.options, self.factory.reactor.seconds()
        self._credit = min(self._credit + (now - self._at) * options.rate, options.burst)
        self._at = now
        if self._credit < 1:
            return False
        self._credit -= 1
        return True

    def _join(self, word: Join) -> None:
        if self._coming is not None:
            self.tell(error("bad-message", "you have joined already"))
            return
        self._stop_waiting()
        name = self.handshake.request.path.rpartition(b"/")[2].decode("ascii")
        self._coming = self.hub.enter(name, self, word, self.handshake.user)
        self._coming.addCallbacks(self._entered, self._refused)

    def _entered(self, seat: Seat) -> None:
        self._seat = seat
        early, self._early = self._early, ()
        for word in early:
            seat.publish(word)

    def _refused(self, failure: Failure) -> None:
        if failure.check(CancelledError):
            return
        if failure.check(RoomFull):
            self.end(codes.TRY_AGAIN, "the room is full")
        elif failure.check(TakenElsewhere):
            self.end(codes.TRY_AGAIN, "the room is on its way: try again")
        elif failure.check(NoMoreRooms):
            self.end(codes.TRY_AGAIN, "there are no more rooms")
        elif failure.check(BrokerAway):
            self.end(codes.TRY_AGAIN, "the rooms are out of reach: try again")
        else:
            log.failure("a room cannot be had", failure)
            self.end(codes.INTERNAL_ERROR, "")

    def onGoingAway(self) -> None:
        """The replica drains."""
        if self._seat is not None:
            self._seat.going_away()

    def onClose(self, wasClean: bool, code: int, reason: str) -> None:
        self._stop_waiting()
        if self._seat is not None:
            self._seat.leave()
            self._seat = None
        elif self._coming is not None:
            self._coming.cancel()

    def _stop_waiting(self) -> None:
        if self._late is not None and self._late.active():
            self._late.cancel()


def _rooms(place: Place, options: RoomOptions) -> Rooms:
    """Those of this host, or, where there is a backplane, of all hosts that share it."""
    shared = place.limits if isinstance(place.limits, RoomsOptions) else RoomsOptions()
    address = address_from(shared.backplane, shared.backplane_file)
    if not address:
        return Hub(place.settings.state / "rooms", place.settings.replica, options, place.reactor)
    from .redisbroker import RedisBroker  # only where it is wanted: it brings in the client

    names = f"{shared.backplane_prefix}:{place.path.removesuffix('/*')}"
    return SharedHub(address, names, options, place.reactor, RedisBroker)
