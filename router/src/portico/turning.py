"""Twisted's epoll reactor the other way round: it waits in the router's poller, and is one descriptor in that.

As a reader of the reactor the poller costs two waits for each wake-up, one in the other, and all that Twisted does around a
reader's call: a log context, a look at the descriptor, whether it has ended. For a router that is not busy, which wakes up for
one or two packets, that was a tenth of its processor time. Timers, threads and signals have what they have in any reactor.
Its own descriptors cost 2 us more at each turn, so a router with services in its process has Twisted's reactor as it is.
"""

import sys

from twisted.internet.epollreactor import EPollReactor
from twisted.internet.main import installReactor

from .poller import READ, Poller

__all__ = ["TurningReactor", "install"]


class TurningReactor(EPollReactor):
    """Like Twisted's until a poller comes first."""

    _first: Poller | None = None

    def put_first(self, poller: Poller) -> None:
        """Wait there from now on."""
        self._first = poller
        poller.add(self._poller.fileno(), READ, self._look)

    def put_back(self, poller: Poller) -> None:
        """Wait there no more."""
        self._first = None
        poller.remove(self._poller.fileno())

    def doPoll(self, timeout: float | None) -> None:
        """One turn. Each ends after a bounded number of events, so that timers are not late."""
        if self._first is None:
            super().doPoll(timeout)
        else:
            self._first.handle(-1 if timeout is None else timeout)

    doIteration = doPoll

    def _look(self, events: int) -> None:
        super().doPoll(0)


def install() -> None:
    """Make it this process's reactor, if there is none yet."""
    if "twisted.internet.reactor" not in sys.modules:
        installReactor(TurningReactor())
