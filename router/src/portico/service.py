"""A service as the router sees it: a target, and a queue for the moments in which the target can take nothing."""

from collections import deque
from collections.abc import Callable, Collection
from typing import Protocol

from svckit.reactors import Reactor
from twisted.application.service import IService
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall

from .arrival import Arrival
from .config import Limits
from .core.answers import LEFT_QUEUE, NO_REPLICA, QUEUE_DRAINED, QUEUE_FULL, Answer
from .redirect import Redirect

__all__ = ["Destination", "Refusals", "RoutedService", "Target"]


class Target(Protocol):
    """One way to put a connection through. The same tests run against all three."""

    def offer(self, arrival: Arrival) -> bool:
        """Take the connection, now or never: after True it is the target's affair, after False it is untouched."""

    def start(self) -> None:
        """Begin to look for replicas."""

    def tell(self, patterns: tuple[tuple[str, bool], ...]) -> None:
        """The routes have changed: all patterns, each with whether it leads here."""

    def heed(self, limits: Limits) -> None:
        """The limits have changed."""

    def retire(self, patterns: tuple[tuple[str, bool], ...]) -> "Deferred[None]":
        """The configuration has another service in its place, or none.

        Nothing is cut: what lives goes on, and comes back with its next request. `patterns` is what replicas are told, which
        may be those of the other service too. Fires when nothing is left.
        """

    def stop(self) -> "Deferred[None]":
        """Drain: take no more; fires when nothing of ours is left in it."""

    def drain(self, replica: str, drained: bool) -> None:
        """An operator wants no new connections to go to `replica`, or (`drained` false) wants them to go there again.

        Raises:
            NotThere: there is none.
            Undrainable: that is not possible here.
        """

    @property
    def drained(self) -> Collection[str]:
        """What a target in this one's place needs to know so that drained replicas stay so."""

    def inherit(self, drained: Collection[str]) -> None:
        """Before the start: what was drained in the target whose place this one takes."""

    def status(self) -> dict[str, object]:
        """For `/status`: the kind of target and its replicas."""


class Refusals(Protocol):
    """Who answers a client when its service cannot."""

    def answer(self, arrival: Arrival, answer: Answer) -> None:
        """Send `answer` and close."""


class RoutedService:
    """A name, a target, a queue."""

    def __init__(self, name: str, limits: Limits, reactor: Reactor, refusals: Refusals) -> None:
        self.name = name
        self.target: Target
        self.background: IService | None = None
        """What it does besides connections, where it runs in this process."""
        self._elsewhere: Callable[[Arrival], None] | None = None
        self._limits, self._reactor, self._refusals = limits, reactor, refusals
        self._queue: deque[tuple[Arrival, IDelayedCall]] = deque()
        self._is_offering = False

    def __repr__(self) -> str:
        return f"<RoutedService {self.name}, {len(self._queue)} queued>"

    @property
    def queued(self) -> int:
        """Connections that wait for a replica."""
        return len(self._queue)

    def follow(self, limits: Limits, patterns: tuple[tuple[str, bool], ...]) -> None:
        """The configuration has changed, but not this service."""
        self._limits = limits
        self.target.heed(limits)
        self.target.tell(patterns)

    def retire(self, patterns: tuple[tuple[str, bool], ...], elsewhere: Callable[[Arrival], None]) -> "Deferred[None]":
        """The configuration has it no more: those that wait for it go `elsewhere`. Fires when nothing of it is left."""
        self._elsewhere = elsewhere
        queue, self._queue = self._queue, deque()
        for arrival, timeout in queue:
            timeout.cancel()
            elsewhere(arrival)
        return self.target.retire(patterns)

    def put_through(self, arrival: Arrival) -> None:
        """Hand the connection to the target, at once or as soon as there is room. The queue comes first."""
        if self._elsewhere is not None:
            self._elsewhere(arrival)
            return
        arrival.service = self
        if self._queue or not self.target.offer(arrival):
            self._hold(arrival)

    def wait(self, arrival: Arrival) -> None:
        """Hold a connection that the target had taken, and could not put through. It has the place that its time gives it."""
        if self._elsewhere is not None:
            self._elsewhere(arrival)
        else:
            self._hold(arrival)

    def _hold(self, arrival: Arrival) -> None:
        queue = self._queue
        if len(queue) >= self._limits.queue_size:
            self._refusals.answer(arrival, QUEUE_FULL)
            return
        now = self._reactor.seconds()
        arrival.waits_until = until = arrival.waits_until or now + self._limits.queue_timeout
        entry = arrival, self._reactor.callLater(max(0.0, until - now), self._give_up, arrival)
        place = len(queue)
        while place and queue[place - 1][0].waits_until > until:
            place -= 1
        queue.insert(place, entry)

    def _give_up(self, arrival: Arrival) -> None:
        self._queue = deque(entry for entry in self._queue if entry[0] is not arrival)
        self._refusals.answer(arrival, NO_REPLICA)

    def refuse(self, arrival: Arrival, answer: Answer) -> None:
        """It cannot be put through, here or elsewhere."""
        arrival.service = self
        self._refusals.answer(arrival, answer)

    def refuse_queued(self) -> None:
        """Answer all that wait: the router ends, and no replica will come for them."""
        queue, self._queue = self._queue, deque()
        for arrival, timeout in queue:
            timeout.cancel()
            self._refusals.answer(arrival, QUEUE_DRAINED)

    def room(self) -> None:
        """The target may be able to take connections again."""
        if self._is_offering:
            return  # by what it has just taken; the loop below goes on
        self._is_offering = True
        try:
            self._offer_queued()
        finally:
            self._is_offering = False

    def _offer_queued(self) -> None:
        for _ in range(len(self._queue)):  # what the target cannot put through may be in the queue again at once
            if not self._queue:
                return
            arrival, timeout = self._queue.popleft()
            if arrival.is_broken_off:
                timeout.cancel()
                self._refusals.answer(arrival, LEFT_QUEUE)
            elif self.target.offer(arrival):
                timeout.cancel()
            else:
                self._queue.appendleft((arrival, timeout))
                return


Destination = RoutedService | Redirect
"""Where a route leads."""
