"""What rooms that span hosts need of a broker: a log and a list of members for each room, and one feed of their changes.

A broker changes a room in single steps, and numbers them (`turn`); whoever has opened the room is told of each, in that order.
So every replica that has members of a room follows the same steps from the same state, and none needs to ask another.

`redisbroker` has one, by Redis. Everything here is called and calls back in the reactor's thread.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from msgspec import Struct
from twisted.internet.defer import Deferred

from .roomoptions import RoomOptions

__all__ = [
    "Anew", "Broker", "BrokerAway", "Came", "Event", "Heard", "Left", "MakeBroker", "Present", "Refused", "Said", "Snapshot",
    "address_from", "shown",
]  # fmt: skip

_NUMBER = re.compile(r"(/[0-9]*)?").fullmatch
"""Of a database. Anything else may be the rest of a password with a `/` that was not quoted."""
SCHEMES = ("redis", "rediss", "unix")


class BrokerAway(Exception):
    """It does not answer, or has not done what it was asked for; the text says why. What it was asked for may yet happen."""


class Refused(Exception):
    """`another`: the room has another epoch by now; `full`: of members; `most`: there are as many rooms as there may be."""


class Present(Struct, frozen=True):
    """A member, on whichever replica."""

    member: str
    token: str
    """Of its connection: the replica's name, a dot, a number."""
    facts: bytes
    """JSON, as others are told of it."""


class Said(Struct, frozen=True):
    """A message was kept."""

    seq: int
    key: str
    """Of who sent it and what they called it."""
    body: bytes
    """JSON: the message without its type and number."""


class Came(Struct, frozen=True):
    """A member is here now, in place of an earlier connection of the same member if there was one."""

    present: Present


class Left(Struct, frozen=True):
    """A connection's member has gone."""

    member: str
    token: str


class Anew(Struct, frozen=True):
    """The room has a new epoch: what members know of it counts no more."""


Event = Said | Came | Left | Anew
Heard = Callable[[str, str, int, Event], None]
"""Called with the room, its epoch, the turn, and what has happened in it."""


class Snapshot(Struct, frozen=True):
    """A room after its step `turn`."""

    epoch: str
    turn: int
    seq: int
    """Of the last message."""
    gone: int
    """Of the last message that is not kept any more."""
    said: list[Said]
    """What is kept, from the number on that was asked for."""
    members: list[Present]


class Broker(Protocol):
    """Deferreds fail with BrokerAway, or with Refused where that is said."""

    def start(self, heard: Heard, back: Callable[[], None]) -> None:
        """Connect, and again whenever that is lost. `back` is called when it is there, and whenever it is there again: changes
        may have been missed by then, so rooms have to be opened anew."""

    def stop(self) -> None: ...

    def open(self, room: str, since: int) -> "Deferred[Snapshot]":
        """Make the room if there is none, and hear of its changes from then on. Refused: `most`."""

    def close(self, room: str) -> None:
        """Hear no more of it."""

    def publish(self, room: str, epoch: str, key: str, body: bytes) -> "Deferred[int]":
        """Keep a message; its number, or the one that it was kept under before. Refused: `another`."""

    def join(self, room: str, epoch: str, present: Present) -> "Deferred[None]":
        """Make somebody a member. Refused: `another`, `full`."""

    def leave(self, room: str, member: str, token: str) -> "Deferred[None]":
        """Unless the member has another connection by now, it is gone."""

    def renew(self, room: str, epoch: str) -> "Deferred[None]":
        """Give the room a new epoch, unless it has another than `epoch` already."""

    def sweep(self, room: str) -> "Deferred[None]":
        """Keep the room from being forgotten, and let those members go whose replicas are dead."""


MakeBroker = Callable[[str, str, str, RoomOptions, Any], Broker]
"""Makes one of: its address, what its names begin with, the replica's name (a word), the options, the reactor."""


def address_from(address: str, file: str) -> str:
    """The broker's address, from an option or from the first line of a file.

    Raises:
        TypeError: it is not one; the text has nothing of it, as it may contain a password.
    """
    if address and file:
        raise TypeError("backplane and backplane_file: only one of them")
    if file:
        try:
            address = Path(file).read_text(encoding="utf-8").partition("\n")[0].strip()
        except (OSError, UnicodeError) as problem:
            raise TypeError(f"backplane_file: {file}: {getattr(problem, 'strerror', None) or 'not text'}") from None
        if not address:
            raise TypeError(f"backplane_file: {file}: its first line is empty")
    if address:
        shown(address)
    return address


def shown(address: str) -> str:
    """What of an address may stand in a log.

    Raises:
        TypeError: it is malformed.
    """
    try:
        parts = urlsplit(address)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        parts = urlsplit("")
    right = parts.path if parts.scheme == "unix" else parts.hostname and _NUMBER(parts.path)
    if parts.scheme not in SCHEMES or not right:
        raise TypeError("backplane: expected redis://HOST:PORT/NUMBER, rediss://HOST:PORT/NUMBER or unix:///PATH")
    return f"unix:{parts.path}" if parts.scheme == "unix" else f"{parts.scheme}://{parts.hostname}{port}{parts.path}"
