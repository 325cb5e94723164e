"""The patient path: connections that cannot be decided on yet.

One deadline over the whole phase, not one for each read: a client that sends a byte a second gets no further than one that
sends nothing. A connection that was handed back may first be idle for a while, as keep-alive allows; its deadline for the head
begins with its first byte.

The routes are asked again for every new piece; when a silence has lasted as long as some route waits for it; and a last time,
as final, at the deadline or at the client's end.

What is read is taken out of the socket and replayed later, so a partial head never makes epoll spin.

When the router ends, all have less time: who has sent nothing may be about to, and a request that has begun gets an answer.
"""

import socket
from collections.abc import Callable
from typing import NamedTuple, Protocol

from svckit.reactors import Reactor
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall

from .arrival import Arrival
from .config import Limits
from .core.answers import DRAINED, LEFT, Answer
from .core.preface import Preface
from .core.rule import Rule
from .core.table import Wait
from .core.termination import OPERATOR, REQUEST, ROUTER
from .poller import READ, Poller
from .service import Destination

__all__ = ["Decider", "Hurry", "Patience", "Waiter"]

_DONTWAIT = int(socket.MSG_DONTWAIT)
_PEEK = int(socket.MSG_DONTWAIT | socket.MSG_PEEK)

Decision = Rule[Destination] | Wait | Answer


class Decider(Protocol):
    """Whom the patient path asks, and tells how it ended; the router."""

    def decide(self, preface: Preface) -> Decision:
        """Which route it is, or what to wait for, or what to answer."""

    def decided(self, arrival: Arrival, rule: Rule[Destination]) -> None:
        """The connection has its route."""

    def answer(self, arrival: Arrival, answer: Answer) -> None:
        """The router answers itself."""


class Hurry(NamedTuple):
    """The times of a drain, in seconds."""

    silent: float
    """For the first byte."""
    begun: float
    """For the rest of the head."""


class Waiter:
    """One connection that is not decided on."""

    __slots__ = ("_alarm", "_deadline", "_patience", "_preface", "arrival")

    def __init__(self, arrival: Arrival, preface: Preface, patience: "Patience") -> None:
        self.arrival, self._preface, self._patience = arrival, preface, patience
        limits, reactor = patience.limits, patience.reactor
        if arrival.returned:
            seconds = limits.head_deadline if arrival.preface else limits.idle_timeout
        else:
            seconds = max(0.0, limits.head_deadline - (reactor.seconds() - arrival.since))
        if patience.hurry is not None:
            seconds = min(seconds, patience.hurry.begun if arrival.preface else patience.hurry.silent)
        self._deadline: IDelayedCall = reactor.callLater(seconds, self.give_up)
        self._alarm: IDelayedCall | None = None

    def readable(self, events: int) -> None:
        """Take what has come and ask again."""
        arrival, preface, patience = self.arrival, self._preface, self._patience
        room = max(1, patience.limits.head_size - len(preface.data))
        try:
            piece = arrival.sock.recv(room, _DONTWAIT)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            piece = b""
        if not piece:
            self._end(lambda _: LEFT)
            return
        if not preface.data and (arrival.returned or patience.hurry is not None):
            self._deadline.reset(patience.time_for_head)
        preface.add(piece)
        arrival.preface = preface.data
        self.ask()

    def ask(self) -> None:
        """Ask the routes; nothing happens while they cannot decide."""
        found = self._patience.decider.decide(self._preface)
        if not isinstance(found, Wait):
            self._leave(found)
            return
        self.listen(found)

    def listen(self, found: Wait) -> None:
        """Wait for more; if a silence would do, for that too."""
        if self._alarm is not None and self._alarm.active():
            self._alarm.cancel()
        if found.silence is not None:
            elapsed = self._patience.reactor.seconds() - self.arrival.since
            self._alarm = self._patience.reactor.callLater(max(0.0, found.silence - elapsed), self._still_silent, found.silence)

    def _still_silent(self, seconds: float) -> None:
        self._preface.silent = seconds
        self.ask()

    def give_up(self) -> None:
        """The deadline has come."""
        patience = self._patience
        if patience.hurry is None:
            self._end(lambda answer: answer)
        elif self.arrival.preface:
            self._end(lambda answer: answer._replace(ended=OPERATOR + REQUEST))
        elif self._has_spoken:
            self._deadline = patience.reactor.callLater(patience.time_for_head, self.give_up)
            self.readable(READ)
        else:
            self._end(lambda _: DRAINED)

    @property
    def _has_spoken(self) -> bool:
        """Whether something has come that nobody has read: closing now would reset the connection, and no one would answer."""
        try:
            return bool(self.arrival.sock.recv(1, _PEEK))
        except OSError:
            return False

    def close(self) -> None:
        """The router is gone in a moment: what lies unread counts, and then it is over."""
        if self._has_spoken:
            self.readable(READ)
        if self._deadline.active():  # it still waits
            begun = bool(self.arrival.preface)
            self._end(lambda answer: answer._replace(ended=OPERATOR + REQUEST) if begun else DRAINED)

    def make_room(self) -> None:
        """Others need its place."""
        self._end(lambda answer: answer._replace(ended=ROUTER + REQUEST))

    def hurry(self, hurry: Hurry) -> None:
        """The router ends."""
        seconds = hurry.begun if self.arrival.preface else hurry.silent
        if self._deadline.getTime() > self._patience.reactor.seconds() + seconds:
            self._deadline.reset(seconds)

    def _end(self, choose: Callable[[Answer], Answer]) -> None:
        """No more is to come: a route that goes by what there is gets it, else the connection ends with an answer."""
        self._preface.final = True
        self._preface.silent = self._patience.reactor.seconds() - self.arrival.since
        found = self._patience.decider.decide(self._preface)
        assert not isinstance(found, Wait), "nothing is to be waited for on the final question"
        self._leave(found if isinstance(found, Rule) else choose(found))

    def _leave(self, found: Rule[Destination] | Answer) -> None:
        self._patience.leave(self)
        self._patience.settle(self.arrival, self._preface, found)
        self._patience.look_whether_drained()

    def cancel(self) -> None:
        """Stop the clocks."""
        for call in (self._deadline, self._alarm):
            if call is not None and call.active():
                call.cancel()


class Patience:
    """All connections that are not decided on."""

    def __init__(self, limits: Limits, poller: Poller, reactor: Reactor, decider: Decider) -> None:
        self.limits, self.reactor, self.decider = limits, reactor, decider
        self._poller = poller
        self._waiting: dict[int, Waiter] = {}
        self.hurry: Hurry | None = None
        """The router ends."""
        self._drained: tuple[Deferred[None], IDelayedCall] | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    def wait(self, arrival: Arrival, preface: Preface) -> None:
        """Decide on `arrival` when it can be decided on, at the deadline at the latest.

        Most can be at once, and do not wait. With too many waiting already the oldest gives up its place: a flood of silent
        connections must not keep the others out.
        """
        found = self.decider.decide(preface)
        if not isinstance(found, Wait):
            self.settle(arrival, preface, found)
            return
        if len(self._waiting) >= self.limits.waiting:
            next(iter(self._waiting.values())).make_room()
        waiter = Waiter(arrival, preface, self)
        descriptor = arrival.sock.fileno()
        self._waiting[descriptor] = waiter
        self._poller.add(descriptor, READ, waiter.readable)
        waiter.listen(found)

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
        if self._drained is not None and not self._waiting:
            self._is_drained()

    def _is_drained(self) -> None:
        assert self._drained is not None
        (drained, timer), self._drained = self._drained, None
        if timer.active():
            timer.cancel()
        drained.callback(None)

    def close(self) -> None:
        """The time is up for all."""
        for waiter in list(self._waiting.values()):
            waiter.close()
