"""The patient path: connections that cannot be decided on yet.

One deadline over the whole phase, not one for each read: a client that sends a byte a second gets no further than one that
sends nothing. A connection that was handed back may first be idle for a while, as keep-alive allows; its deadline for the head
begins with its first byte.

The routes are asked again for every new piece; when a silence has lasted as long as some route waits for it; and a last time,
as final, at the deadline or at the client's end.

What is read is taken out of the socket and replayed later, so a partial head never makes epoll spin. Between two pieces a new
connection is a record of its facts and its bytes (`dormant`), as there may be thousands of them.

When the router ends, all have less time: who has sent nothing may be about to, and a request that has begun gets an answer.
"""

from typing import Protocol

from svckit.reactors import Reactor
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall

from .arrival import Arrival
from .config import Limits
from .core.answers import Answer
from .core.preface import Preface
from .core.rule import Rule
from .core.table import Wait
from .dormant import Dormant, due_of, since_of
from .expiry import Expiring
from .poller import READ, Poller, Stirs
from .service import Destination
from .waiter import Decision, Hurry, Waiter

__all__ = ["Decider", "Decision", "Hurry", "Patience", "Waiter"]


class Decider(Protocol):
    """Whom the patient path asks, and tells how it ended; the router."""

    def decide(self, preface: Preface) -> Decision:
        """Which route it is, or what to wait for, or what to answer."""

    def decided(self, arrival: Arrival, rule: Rule[Destination]) -> None:
        """The connection has its route."""

    def answer(self, arrival: Arrival, answer: Answer) -> None:
        """The router answers itself."""


class Patience:
    """All connections that are not decided on."""

    def __init__(self, limits: Limits, poller: Poller, reactor: Reactor, decider: Decider) -> None:
        self.limits, self.reactor, self.decider = limits, reactor, decider
        self._poller = poller
        self._waiting: dict[int, Waiter] = {}
        self._dormant = Dormant()
        self._records: Expiring[bytes] = Expiring(reactor, due_of, self._record_expired)
        self._common: Stirs = self._stirs  # one object for all
        self.hurry: Hurry | None = None
        """The router ends."""
        self._drained: tuple[Deferred[None], IDelayedCall] | None = None

    def __len__(self) -> int:
        return len(self._waiting) + len(self._records)

    def wait(self, arrival: Arrival, preface: Preface) -> None:
        """Decide on `arrival` when it can be decided on, at the deadline at the latest.

        Most can be at once, and do not wait. With too many waiting already the oldest gives up its place: a flood of silent
        connections must not keep the others out.
        """
        found = self.decider.decide(preface)
        if not isinstance(found, Wait):
            self.settle(arrival, preface, found)
            return
        if len(self) >= self.limits.waiting:
            self._make_room()
        waiter = Waiter(arrival, preface, self, self._due(arrival))
        waiter.listen(found)
        self._keep(waiter, False)

    def _due(self, arrival: Arrival) -> float:
        """Its deadline."""
        limits, now = self.limits, self.reactor.seconds()
        if arrival.returned:
            due = now + (limits.head_deadline if arrival.preface else limits.idle_timeout)
        else:
            due = max(now, arrival.since + limits.head_deadline)
        if self.hurry is not None:
            due = min(due, now + (self.hurry.begun if arrival.preface else self.hurry.silent))
        return due

    def _make_room(self) -> None:
        waiter = self._oldest()
        try:
            waiter.make_room()
        except BaseException:
            self._lose(waiter)
            raise

    def _oldest(self) -> Waiter:
        """Who has waited for longest; there is one."""
        waiter = next(iter(self._waiting.values()), None)
        first = self._records.first
        if first is None or (waiter is not None and waiter.arrival.since <= since_of(first[1])):
            assert waiter is not None
            return waiter
        return self._wake(*first)

    # -- records

    def _keep(self, waiter: Waiter, watched: bool) -> None:
        """Until more comes: as a record where that is all there is to it. `watched`: it has been one."""
        descriptor = waiter.arrival.sock.fileno()
        if self.hurry is None and not waiter.has_alarm and self._records.would_take(descriptor, waiter.due):
            record = self._dormant.lay_down(waiter.arrival, waiter.preface, waiter.due)
            if record is not None:
                self._records.put(descriptor, record)
                if not watched:
                    self._poller.add_common(descriptor, READ, self._common)
                return
        self._keep_awake(waiter)

    def _keep_awake(self, waiter: Waiter) -> None:
        """It stays an object."""
        descriptor = waiter.arrival.sock.fileno()
        watched = self._records.discard(descriptor)
        self._waiting[descriptor] = waiter
        waiter.start_clock()
        if watched:
            self._poller.wake(descriptor, waiter.readable)
        else:
            self._poller.add(descriptor, READ, waiter.readable)

    def _wake(self, descriptor: int, record: bytes) -> Waiter:
        """It is an object again, and its record stays until it is known what becomes of it."""
        arrival, preface = self._dormant.wake(descriptor, record)
        return Waiter(arrival, preface, self, due_of(record))

    def _stirs(self, descriptor: int, events: int) -> None:
        """One that is a record has sent something, or has gone."""
        record = self._records.get(descriptor)
        if record is None:
            return  # an earlier event of the same batch has ended it
        waiter = self._wake(descriptor, record)
        try:
            waiter.readable(events)
        except BaseException:
            self._lose(waiter)
            raise
        if not waiter.over:
            self._keep(waiter, True)

    def _record_expired(self, descriptor: int, record: bytes) -> None:
        waiter = self._wake(descriptor, record)
        try:
            waiter.give_up()
        except BaseException:
            self._lose(waiter)
            raise

    def _lose(self, waiter: Waiter) -> None:
        """Looking at it has failed. No record may stay whose descriptor is somebody else's soon."""
        if not waiter.over:
            self.leave(waiter)
            waiter.arrival.close()

    def _wake_all(self) -> None:
        for descriptor, record in self._records.all():
            self._keep_awake(self._wake(descriptor, record))

    def settle(self, arrival: Arrival, preface: Preface, found: Rule[Destination] | Answer) -> None:
        """It is decided."""
        if isinstance(found, Rule):
            arrival.preface_read(preface)
            self.decider.decided(arrival, found)
        else:
            self.decider.answer(arrival, found)

    def leave(self, waiter: Waiter) -> None:
        """`waiter` waits no more."""
        waiter.cancel()
        descriptor = waiter.arrival.sock.fileno()
        if self._waiting.pop(descriptor, None) is not None:
            self._poller.remove(descriptor)
        elif self._records.discard(descriptor):
            self._poller.remove_common(descriptor)

    # -- the router's own drain

    @property
    def time_for_head(self) -> float:
        """Seconds for a head that has begun just now."""
        most = self.limits.head_deadline
        return most if self.hurry is None else min(most, self.hurry.begun)

    def drain(self, hurry: Hurry) -> "Deferred[None]":
        """From now on these times hold, for what comes back later too.

        Fires as soon as nothing waits, and when the time is up of all that wait now: others may come back one after the other.
        """
        self.hurry = hurry
        self._wake_all()
        for waiter in self._waiting.values():
            waiter.hurry(hurry)
        if self._drained is not None:
            self._drained[1].cancel()  # told twice: the last one counts
        drained: Deferred[None] = Deferred()
        self._drained = drained, self.reactor.callLater(hurry.silent + self.time_for_head, self._is_drained)
        self.look_whether_drained()
        return drained

    def look_whether_drained(self) -> None:
        """One waits no more, and it is decided where it goes."""
        if self._drained is not None and not len(self):
            self._is_drained()

    def _is_drained(self) -> None:
        assert self._drained is not None
        (drained, timer), self._drained = self._drained, None
        if timer.active():
            timer.cancel()
        drained.callback(None)

    def close(self) -> None:
        """The time is up for all."""
        self._wake_all()
        for waiter in list(self._waiting.values()):
            waiter.close()
