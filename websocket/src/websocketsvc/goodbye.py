"""The moment at which a connection is said goodbye to when its service drains.

All goodbyes at once would bring all clients back at once, so each has a moment of its own: at random in the `drain_spread`
seconds that end `LATEST` after the drain time.
"""

import random
from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

__all__ = ["Goodbye"]

LATEST = 1.0
"""Seconds after the drain time at which the last goodbye is said; what is then left of `svckit.live.GOODBYE_TIME` is for the
closing handshake."""


class Goodbye:
    """Of one connection, from the beginning of the drain on."""

    def __init__(self, clock: IReactorTime, spread: float, drain_time: float, say: Callable[[], None]) -> None:
        """`spread` and `drain_time` are in seconds; `say` is called once, at the moment."""
        self._clock, self._say = clock, say
        self._call: IDelayedCall | None = None
        latest = min(spread, LATEST)
        self._moment = latest - random.random() * min(spread, drain_time + latest)  # noqa: S311 # no secret
        if self._moment < 0:
            self._call = clock.callLater(max(drain_time + self._moment, 0), say)

    def expire(self) -> None:
        """The drain time is up."""
        if self._call is not None:
            return
        if self._moment > 0:
            self._call = self._clock.callLater(self._moment, self._say)
        else:
            self._say()

    def cancel(self) -> None:
        """The connection is gone."""
        if self._call is not None and self._call.active():
            self._call.cancel()
