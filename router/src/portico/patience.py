"""The patient path: connections that cannot be decided on yet.

One deadline over the whole phase, not one for each read: a client that sends a byte a second gets no further than one that
sends nothing. A connection that was handed back may first be idle for a while, as keep-alive allows; its deadline for the head
begins with its first byte.

The routes are asked again for every new piece; when a silence has lasted as long as some route waits for it; and a last time,
as final, at the deadline or at the client's end.

What is read is taken out of the socket and replayed later, so a partial head never makes epoll spin.
"""

import socket
from collections.abc import Callable
from typing import Protocol

from svckit.reactors import Reactor
from twisted.internet.interfaces import IDelayedCall

from .arrival import Arrival
from .config import Limits
from .core.answers import DRAINED, LEFT, Answer
from .core.preface import Preface
from .core.rule import Rule
from .core.table import Wait
from .core.termination import REQUEST, ROUTER
from .poller import READ, Poller
from .service import Destination

__all__ = ["Decider", "Patience", "Waiter"]

_DONTWAIT = int(socket.MSG_DONTWAIT)

Decision = Rule[Destination] | Wait | Answer


class Decider(Protocol):
    """Whom the patient path asks, and tells how it ended; the router."""

    def decide(self, preface: Preface) -> Decision:
        """Which route it is, or what to wait for, or what to answer."""

    def decided(self, arrival: Arrival, rule: Rule[Destination]) -> None:
        """The connection has its route."""

    def answer(self, arrival: Arrival, answer: Answer) -> None:
        """The router answers itself."""


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
        if not preface.data and arrival.returned:
            self._deadline.reset(patience.limits.head_deadline)
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
        self._end(lambda answer: answer)

    def make_room(self) -> None:
        """Others need its place."""
        self._end(lambda answer: answer._replace(ended=ROUTER + REQUEST))

    def drain(self) -> None:
        """The router ends, and it has sent nothing."""
        self._end(lambda _: DRAINED)

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

    def close_idle(self) -> None:
        """Close the connections that have sent nothing; for the router's own drain."""
        for waiter in [waiter for waiter in self._waiting.values() if not waiter.arrival.preface]:
            waiter.drain()
