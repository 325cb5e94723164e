"""What a member's connection needs of rooms, whether they live on this replica or on a broker."""

from typing import Protocol

from twisted.internet.defer import Deferred

from .roomoptions import RoomOptions
from .roomwords import Join, Publish

__all__ = ["REPLACED", "MemberLike", "RoomFull", "Rooms", "Seat"]

REPLACED = "another connection of the same client has taken its place"


class RoomFull(Exception):
    """It has as many members as it may have."""


class MemberLike(Protocol):
    """What a room needs of a member's connection."""

    def tell(self, text: bytes) -> None: ...

    def end(self, code: int, reason: str) -> None: ...


class Seat(Protocol):
    """A connection's place in a room."""

    def publish(self, word: Publish) -> None: ...

    def leave(self) -> None:
        """The connection has ended."""

    def going_away(self) -> None:
        """The replica drains."""


class Rooms(Protocol):
    """All rooms of one mount."""

    options: RoomOptions

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def enter(self, name: str, connection: MemberLike, word: Join, user: str | None) -> "Deferred[Seat]":
        """A place in a room, of which the connection is told by then. Fails with RoomFull, NoMoreRooms, TakenElsewhere,
        BrokerAway or OSError; is cancelled where the connection ends before."""
