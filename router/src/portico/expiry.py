"""Descriptors that each have a deadline, and one timer for all of them.

A timer of the reactor is an object of 350 bytes with two more in its heap, and thousands of connections have the same time. So
they stand here in the order of their deadlines, and the timer is that of the first. Those that are due together are told in
batches: what is done for each of them is done before the next batch, and others get their turn in between.
"""

from collections.abc import Callable
from itertools import islice
from typing import Generic, TypeVar

from svckit.reactors import Reactor
from twisted.internet.interfaces import IDelayedCall

__all__ = ["Expiring"]

AT_ONCE = 64
"""Deadlines that are told before the reactor's other work gets its turn."""
EARLY = 0.001
"""Seconds by which a deadline may be told too early; less is what clocks lose in sums."""

V = TypeVar("V")


class Expiring(Generic[V]):
    """A value for each descriptor. `due` tells a value's deadline, by the reactor's clock."""

    def __init__(self, reactor: Reactor, due: Callable[[V], float], expired: Callable[[int, V], None]) -> None:
        """`expired` must discard the descriptor."""
        self._reactor, self._due, self._expired = reactor, due, expired
        self._values: dict[int, V] = {}
        self._last = 0.0
        self._timer: IDelayedCall | None = None

    def __len__(self) -> int:
        return len(self._values)

    @property
    def first(self) -> tuple[int, V] | None:
        """The one whose deadline comes next."""
        return next(iter(self._values.items()), None)

    def all(self) -> list[tuple[int, V]]:
        """A copy, in the order of the deadlines."""
        return list(self._values.items())

    def get(self, descriptor: int) -> V | None:
        """Its value."""
        return self._values.get(descriptor)

    def would_take(self, descriptor: int, due: float) -> bool:
        """Whether a deadline is in its order: no earlier than any other. One that is here stays where it is."""
        return descriptor in self._values or due >= self._last

    def put(self, descriptor: int, value: V) -> None:
        """Take it, or another value with the same deadline."""
        if descriptor not in self._values:
            self._last = self._due(value)
            if not self._values:
                self._start(self._last)
        self._values[descriptor] = value

    def discard(self, descriptor: int) -> bool:
        """Forget it; whether it was here."""
        if self._values.pop(descriptor, None) is None:
            return False
        if not self._values:
            self._values = {}  # a dict never gets smaller
            self._last = 0.0
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
        return True

    def _start(self, due: float) -> None:
        self._timer = self._reactor.callLater(max(0.0, due - self._reactor.seconds()), self._look)

    def _look(self) -> None:
        self._timer = None
        now = self._reactor.seconds() + EARLY
        try:
            for descriptor, value in list(islice(self._values.items(), AT_ONCE)):
                if self._due(value) > now:
                    break
                if descriptor in self._values:
                    self._expired(descriptor, value)
        finally:
            if self._values and self._timer is None:
                self._start(self._due(next(iter(self._values.values()))))
