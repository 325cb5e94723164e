"""The rooms on a broker that have members on this replica. What `Hub` is for rooms of the host's own."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from secrets import token_hex
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall

from .backplane import Event, MakeBroker
from .follower import Follower
from .roomoptions import RoomOptions
from .roomwords import Join, Publish
from .seats import MemberLike, Seat
from .sharedroom import Taken

__all__ = ["SWEEP", "SharedHub"]

SWEEP = 5.0
"""Seconds between two looks for members whose replicas have died, and for what could not be told the broker before."""


class SharedHub:
    """All rooms of one mount that this replica follows. See `seats.Rooms`."""

    def __init__(
        self, address: str, names: str, options: RoomOptions, clock: Any, make_broker: MakeBroker,
        now: Callable[[], float] = time.time,
    ) -> None:  # fmt: skip
        """`address` and `names` are the broker's; `clock` is the reactor; `now` is the time of day."""
        self.options, self._clock, self._now = options, clock, now
        self.replica = token_hex(6)
        self._broker = make_broker(address, names, self.replica, options, clock)
        self._followers: dict[str, Follower] = {}
        self._numbers = count(1)
        self._sweeping: IDelayedCall | None = None

    def start(self) -> None:
        self._broker.start(self._heard, self._back)
        self._sweeping = self._clock.callLater(SWEEP, self._sweep)

    def stop(self) -> None:
        for follower in self._followers.values():
            follower.stop()
        self._followers.clear()
        if self._sweeping is not None:
            self._sweeping.cancel()
        self._broker.stop()

    def enter(self, name: str, connection: MemberLike, word: Join, user: str | None) -> "Deferred[Seat]":
        follower = self._followers.get(name)
        if follower is None:
            follower = Follower(
                name, self._broker, self.replica, self.options, self._clock, self._now, self._done
            )  # fmt: skip
            self._followers[name] = follower
        taken = Taken(connection, word, word.client or token_hex(16), user, f"{self.replica}.{next(self._numbers)}")
        seat: Seat = _Seat(follower, taken)
        coming: Deferred[Seat] = Deferred(lambda _: seat.leave())
        taken.entered.addCallback(lambda _: seat).chainDeferred(coming)
        follower.join(taken)
        return coming

    def _done(self, name: str) -> None:
        del self._followers[name]
        self._broker.close(name)

    # -- the broker

    def _heard(self, name: str, epoch: str, turn: int, event: Event) -> None:
        follower = self._followers.get(name)
        if follower is not None:
            follower.heard(epoch, turn, event)

    def _back(self) -> None:
        for follower in list(self._followers.values()):
            follower.open()

    def _sweep(self) -> None:
        self._sweeping = self._clock.callLater(SWEEP, self._sweep)
        for follower in list(self._followers.values()):
            follower.sweep()


@dataclass(frozen=True, slots=True)
class _Seat:
    """See `seats.Seat`."""

    follower: Follower
    taken: Taken

    def publish(self, word: Publish) -> None:
        self.follower.publish(self.taken, word)

    def leave(self) -> None:
        self.follower.leave(self.taken)

    def going_away(self) -> None:
        """The room does not go with the replica; each member is said goodbye to by itself."""
