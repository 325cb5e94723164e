"""Rooms, on Autobahn: `/ws/rooms/NAME`. docs/websocket.md has what is promised, and the schema.

rooms.py      a member's connection
room.py       a room that this replica owns
roomhub.py    which rooms those are
roomlog.py    what is kept, and the lock that makes somebody the owner
roombell.py   how replicas ask each other for a room
roomwords.py  what is said
"""

import re
from typing import Any, ClassVar

from autobahn.twisted.websocket import WebSocketServerProtocol
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from . import codes
from .mounts import Place
from .room import Room
from .roomhub import Hub
from .roomlog import NoMoreRooms, TakenElsewhere
from .roomoptions import RoomOptions
from .roomwords import Join, Publish, error, read

__all__ = ["Member"]

log = Logger()

_NAME = re.compile(r"[A-Za-z0-9._~-]{1,64}").fullmatch


class Member(WebSocketServerProtocol):
    """One connection, which becomes a member of a room by its first word."""

    hub: ClassVar[Hub]
    handshake: Any
    _room: Room | None = None
    _member = ""
    _coming: "Deferred[Any] | None" = None
    _late: IDelayedCall | None = None
    _credit = 0.0
    _at = 0.0

    @classmethod
    def for_mount(cls, place: Place) -> type["Member"]:
        """A class of its own for each mount, with the rooms that belong to it."""
        options = place.options_as(RoomOptions)
        if 2 * options.history_bytes > place.limits.max_unsent:
            raise TypeError("options: history_bytes: expected at most half of max_unsent")
        folder = place.settings.state / "rooms"
        hub = Hub(folder, place.settings.replica, options, place.reactor)
        return type("Member", (cls,), {"hub": hub})

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
        elif self._room is None:
            self.tell(error("bad-message", "join first", word.id))
        elif not self._may_speak():
            self.tell(error("too-fast", "wait a moment", word.id))
        else:
            self._publish(self._room, word)

    def _publish(self, room: Room, word: Publish) -> None:
        if self.hub.owns(room):
            room.publish(self._member, word)

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
        self._coming = self.hub.room(name)
        self._coming.addCallback(self._enter, word).addErrback(self._refused)

    def _enter(self, room: Room, word: Join) -> None:
        if self.state != self.STATE_OPEN:
            return
        member = room.join(self, word, self.handshake.user)
        if member is None:
            self.end(codes.TRY_AGAIN, "the room is full")
        else:
            self._room, self._member = room, member

    def _refused(self, failure: Failure) -> None:
        if failure.check(TakenElsewhere):
            self.end(codes.TRY_AGAIN, "the room is on its way: try again")
        elif failure.check(NoMoreRooms):
            self.end(codes.TRY_AGAIN, "there are no more rooms")
        else:
            log.failure("a room cannot be had", failure)
            self.end(codes.INTERNAL_ERROR, "")

    def onGoingAway(self) -> None:
        """The replica drains: the whole room moves together."""
        if self._room is not None and self.hub.owns(self._room):
            self.hub.let_go(self._room.name, codes.GOING_AWAY, "going away")

    def onClose(self, wasClean: bool, code: int, reason: str) -> None:
        self._stop_waiting()
        if self._room is not None:
            self._room.leave(self._member, self)
            self.hub.left(self._room)
            self._room = None

    def _stop_waiting(self) -> None:
        if self._late is not None and self._late.active():
            self._late.cancel()
