"""The patient path: connections whose head is not there yet.

One deadline over the whole phase, not one for each read: a client that sends a byte a second gets no further than one that
sends nothing. A connection that was handed back may first be idle for a while, as keep-alive allows; its deadline for the head
begins with its first byte.

What is read is taken out of the socket and replayed later, so a partial head never makes epoll spin.
"""

import socket

from svckit.reactors import Reactor
from twisted.internet.interfaces import IDelayedCall

from .arrival import Arrival
from .config import Limits
from .core.answers import HEAD_TIMEOUT, LEFT, SILENT, Answer
from .core.head import Head, HeadReader
from .poller import READ, Poller

__all__ = ["Patience", "Waiter"]


class Decider:
    """Whom the patient path tells how it ended; the router."""

    def decided(self, arrival: Arrival) -> None:
        """`arrival.head` is there."""
        raise NotImplementedError

    def answer(self, arrival: Arrival, answer: Answer) -> None:
        """The router answers itself."""
        raise NotImplementedError


class Waiter:
    """One connection whose head is awaited."""

    __slots__ = ("_patience", "_reader", "_timeout", "arrival")

    def __init__(self, arrival: Arrival, patience: "Patience") -> None:
        self.arrival, self._patience = arrival, patience
        limits = patience.limits
        self._reader = HeadReader(limits.head_size)
        idle = arrival.returned and not arrival.preface
        seconds = limits.idle_timeout if idle else limits.head_deadline
        self._timeout: IDelayedCall = patience.reactor.callLater(seconds, self.give_up)

    def begin(self) -> bool:
        """Look at what is there already; False if that decided it."""
        return not self.arrival.preface or not self._look()

    def readable(self, events: int) -> None:
        """Take what has come and look at it."""
        arrival, patience = self.arrival, self._patience
        room = max(1, patience.limits.head_size - len(arrival.preface))
        try:
            piece = arrival.sock.recv(room, socket.MSG_DONTWAIT)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            piece = b""
        if not piece:
            patience.leave(self)
            patience.decider.answer(arrival, LEFT)
            return
        if not arrival.preface and arrival.returned:
            self._timeout.reset(patience.limits.head_deadline)
        arrival.preface += piece
        self._look()

    def _look(self) -> bool:
        found = self._reader.read(self.arrival.preface)
        if found is None:
            return False
        self._patience.leave(self)
        if isinstance(found, Head):
            self.arrival.head = found
            self._patience.decider.decided(self.arrival)
        else:
            self._patience.decider.answer(self.arrival, found)
        return True

    def give_up(self) -> None:
        """The deadline has come, or the connection must make room for others."""
        self._patience.leave(self)
        self._patience.decider.answer(self.arrival, HEAD_TIMEOUT if self.arrival.preface else SILENT)

    def cancel(self) -> None:
        """Stop the clock."""
        if self._timeout.active():
            self._timeout.cancel()


class Patience:
    """All connections whose head is awaited."""

    def __init__(self, limits: Limits, poller: Poller, reactor: Reactor, decider: Decider) -> None:
        self.limits, self.reactor, self.decider = limits, reactor, decider
        self._poller = poller
        self._waiting: dict[int, Waiter] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def wait(self, arrival: Arrival) -> None:
        """Wait for the head of `arrival`.

        With too many waiting already the oldest gives up its place: a flood of silent connections must not keep the others out.
        """
        if len(self._waiting) >= self.limits.waiting:
            next(iter(self._waiting.values())).give_up()
        waiter = Waiter(arrival, self)
        descriptor = arrival.sock.fileno()
        self._waiting[descriptor] = waiter
        self._poller.add(descriptor, READ, waiter.readable)
        waiter.begin()

    def leave(self, waiter: Waiter) -> None:
        """`waiter` waits no more."""
        waiter.cancel()
        descriptor = waiter.arrival.sock.fileno()
        if self._waiting.pop(descriptor, None) is not None:
            self._poller.remove(descriptor)

    def close_idle(self) -> None:
        """Close the connections that have sent nothing; for the router's own drain."""
        for waiter in [waiter for waiter in self._waiting.values() if not waiter.arrival.preface]:
            waiter.give_up()
