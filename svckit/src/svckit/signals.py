"""Signals that end a process: the first SIGTERM or SIGINT lets it drain, a second one ends it at once."""

import os
import signal
import sys
from collections.abc import Callable

from twisted.logger import Logger

from .reactors import Reactor

__all__ = ["KILLED", "Ending"]

KILLED = 128
"""Added to a signal's number, it is the exit status of a process that the signal has ended (as shells count)."""


class Ending:
    """The one place from which a process is told to end; asked twice by signals, it does not wait for the drain."""

    log = Logger()

    def __init__(self, reactor: Reactor, last: Callable[[], None] | None = None) -> None:
        """The handlers are set when `reactor` runs, in place of its own. Before an end at once `last` writes what waits."""
        self._reactor, self._last = reactor, last
        self._asked = False
        reactor.callWhenRunning(self._install)

    def _install(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            # not in the handler itself: it may have interrupted a write to the log
            signal.signal(number, lambda number, frame: self._reactor.callFromThread(self.signalled, number))

    def stop(self) -> None:
        """Drain and end. Asked again it does nothing, unlike the reactor, to which that is an error."""
        if not self._asked:
            self._asked = True
            self._reactor.stop()

    def signalled(self, number: int) -> None:
        """A signal has come."""
        name = signal.Signals(number).name
        if not self._asked:
            self.log.info("{signal}: draining, a second one ends at once", signal=name)
            self.stop()
            return
        self.log.warn("{signal} in the drain: ending at once", signal=name)
        try:
            if self._last is not None:
                self._last()
            sys.stdout.flush()
        finally:
            os._exit(KILLED + number)
