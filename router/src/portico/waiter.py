"""One connection that is not decided on, while something happens to it.

Most rest as a record (`dormant`) from one piece to the next, and are such an object only while a piece is looked at. The others
stay one: those that a service has handed back, those with a clock of their own, and those of which more is known than a few
bytes.
"""

import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from twisted.internet.interfaces import IDelayedCall

from .arrival import Arrival
from .core.answers import DRAINED, LEFT, Answer
from .core.preface import Preface
from .core.rule import Rule
from .core.table import Wait
from .core.termination import OPERATOR, REQUEST, ROUTER
from .poller import READ
from .service import Destination

if TYPE_CHECKING:
    from .patience import Patience
from .reading import what_came

__all__ = ["Decision", "Hurry", "Waiter"]

_DONTWAIT = int(socket.MSG_DONTWAIT)
_PEEK = int(socket.MSG_DONTWAIT | socket.MSG_PEEK)

Decision = Rule[Destination] | Wait | Answer


class Hurry(NamedTuple):
    """The times of a drain, in seconds."""

    silent: float
    """For the first byte."""
    begun: float
    """For the rest of the head."""


class Waiter:
    """One connection that is not decided on."""

    __slots__ = ("_alarm", "_clock", "_patience", "arrival", "due", "over", "preface")

    def __init__(self, arrival: Arrival, preface: Preface, patience: "Patience", due: float) -> None:
        self.arrival, self.preface, self._patience = arrival, preface, patience
        self.due = due
        """Its deadline, by the reactor's clock."""
        self.over = False
        """It waits no more."""
        self._clock: IDelayedCall | None = None
        self._alarm: IDelayedCall | None = None

    @property
    def has_alarm(self) -> bool:
        """Whether some route waits for its silence."""
        return self._alarm is not None and self._alarm.active()

    def start_clock(self) -> None:
        """From now on it sees to its deadline itself."""
        reactor = self._patience.reactor
        self._clock = reactor.callLater(max(0.0, self.due - reactor.seconds()), self.give_up)

    def _set_clock(self, seconds: float) -> None:
        self.due = self._patience.reactor.seconds() + seconds
        if self._clock is not None:
            self._clock.reset(seconds)

    def readable(self, events: int) -> None:
        """Take what has come and ask again."""
        arrival, preface, patience = self.arrival, self.preface, self._patience
        room = max(1, patience.limits.head_size - len(preface.data))
        piece = what_came(arrival.sock, room)
        if piece is None:
            return
        if not piece:
            self._end(lambda _: LEFT)
            return
        if not preface.data and (arrival.returned or patience.hurry is not None):
            self._set_clock(patience.time_for_head)
        preface.add(piece)
        arrival.preface = preface.data
        self.ask()

    def ask(self) -> None:
        """Ask the routes; nothing happens while they cannot decide."""
        found = self._patience.decider.decide(self.preface)
        if not isinstance(found, Wait):
            self._leave(found)
            return
        self.listen(found)

    def listen(self, found: Wait) -> None:
        """Wait for more; if a silence would do, for that too."""
        if self._alarm is not None and self.has_alarm:
            self._alarm.cancel()
        if found.silence is not None:
            elapsed = self._patience.reactor.seconds() - self.arrival.since
            self._alarm = self._patience.reactor.callLater(max(0.0, found.silence - elapsed), self._still_silent, found.silence)

    def _still_silent(self, seconds: float) -> None:
        self.preface.silent = seconds
        self.ask()

    def give_up(self) -> None:
        """The deadline has come."""
        patience = self._patience
        if patience.hurry is None:
            self._end(lambda answer: answer)
        elif self.arrival.preface:
            self._end(lambda answer: answer._replace(ended=OPERATOR + REQUEST))
        elif self._has_spoken:
            self._clock = patience.reactor.callLater(patience.time_for_head, self.give_up)
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
        if not self.over:
            begun = bool(self.arrival.preface)
            self._end(lambda answer: answer._replace(ended=OPERATOR + REQUEST) if begun else DRAINED)

    def make_room(self) -> None:
        """Others need its place."""
        self._end(lambda answer: answer._replace(ended=ROUTER + REQUEST))

    def hurry(self, hurry: Hurry) -> None:
        """The router ends."""
        seconds = hurry.begun if self.arrival.preface else hurry.silent
        if self.due > self._patience.reactor.seconds() + seconds:
            self._set_clock(seconds)

    def _end(self, choose: Callable[[Answer], Answer]) -> None:
        """No more is to come: a route that goes by what there is gets it, else the connection ends with an answer."""
        self.preface.final = True
        self.preface.silent = self._patience.reactor.seconds() - self.arrival.since
        found = self._patience.decider.decide(self.preface)
        assert not isinstance(found, Wait), "nothing is to be waited for on the final question"
        self._leave(found if isinstance(found, Rule) else choose(found))

    def _leave(self, found: Rule[Destination] | Answer) -> None:
        self._patience.leave(self)
        self._patience.settle(self.arrival, self.preface, found)
        self._patience.look_whether_drained()

    def cancel(self) -> None:
        """It waits no more: stop the clocks."""
        self.over = True
        for call in (self._clock, self._alarm):
            if call is not None and call.active():
                call.cancel()
