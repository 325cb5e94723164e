"""The daemon as one Twisted service, in twistd's own order: ports as root, everything else as the daemon's user.

privilegedStartService   root: the ports
(twistd drops the privileges)
startService             the daemon's user: the router and the services
stopService              drain; twistd removes the PID file after it
"""

import os
import signal
from collections.abc import Callable
from pathlib import Path

from svckit.reactors import Reactor
from svckit.signals import KILLED, Ending
from twisted.application.service import IServiceCollection, Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import ILogObserver, Logger
from twisted.python.components import Componentized

from .logs import Log
from .notify import Notifier
from .parts import Part
from .paths import inside

__all__ = ["STOP_MARGIN", "Daemon", "Place", "numbers"]

STOP_MARGIN = 10.0
"""Seconds after the drain time; what has not ended by then is not waited for."""


class Place:
    """What twistd was told about the place where the daemon runs."""

    def __init__(self, log: str | None = None, pidfile: str | None = None, jail: str | None = None) -> None:
        """Absolute paths, or None where there is no such thing."""
        self.log, self.pidfile, self.jail = log, pidfile, jail


class Daemon(Service):
    """Starts a part, hears signals, tells systemd, and drains within a limit."""

    log = Logger()

    def __init__(self, part: Part, log: Log, place: Place, notifier: Notifier, reactor: Reactor) -> None:
        self._part, self._log, self._place, self._notifier, self._reactor = part, log, place, notifier, reactor
        self._too_late: IDelayedCall | None = None
        self._ending: int | None = None
        """A signal to end that came before the reactor ran."""

    def setServiceParent(self, parent: IServiceCollection) -> None:
        """twistd takes the log's observer from the application that it makes around this service."""
        if self._log.observer is not None and isinstance(parent, Componentized):
            parent.setComponent(ILogObserver, self._log.observer)
        super().setServiceParent(parent)

    def privilegedStartService(self) -> None:
        """Take the ports, and hear signals; by now the root folder is the jail's.

        Raises:
            OSError: one cannot be had.
        """
        if self._place.jail is not None and self._place.log is not None:
            self._log.entered(inside(Path(self._place.log), Path(self._place.jail)))
        # the PID file is there already, and by default these signals end a process; they are heard once the reactor runs
        self._on(signal.SIGHUP, self._part.reload)
        if self._log.file is not None or not signal.getsignal(signal.SIGUSR1):  # Twisted's own log file has set its own
            self._on(signal.SIGUSR1, self._log.hear)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._too_early)
        self._part.take()
        super().privilegedStartService()

    def startService(self) -> None:
        """Serve.

        Raises:
            OSError, ValueError, LookupError: what is missing or wrong; twistd's parent process says so.
        """
        super().startService()
        self._part.start(self._log.access)
        ending = Ending(self._reactor, self._at_once)
        self._reactor.callWhenRunning(self._notifier.ready)
        self._reactor.callWhenRunning(lambda: self._end_if_asked(ending))

    def _too_early(self, number: int, frame: object) -> None:
        """To end now would leave the PID file: it starts and drains. A second signal ends it at once, without the file."""
        if self._ending is None:
            self._ending = number
        else:
            try:
                self._at_once()
            finally:
                os._exit(KILLED + number)

    def _on(self, number: int, call: Callable[[], None]) -> None:
        # not in the handler itself: it may have interrupted a write to the log
        signal.signal(number, lambda number, frame: self._reactor.callFromThread(call))

    def _end_if_asked(self, ending: Ending) -> None:
        if self._ending is not None:
            ending.signalled(self._ending)

    def stopService(self) -> "Deferred[None]":
        """Drain; fires when all has ended, at the latest STOP_MARGIN after the drain time."""
        super().stopService()
        self._notifier.draining()
        done: Deferred[None] = Deferred()
        self._too_late = self._reactor.callLater(self._part.drain_time + STOP_MARGIN, self._go_anyway, done)
        self._part.stop().addErrback(lambda failure: self.log.failure("the drain failed", failure)).addBoth(self._gone, done)
        return done

    def _gone(self, _: object, done: "Deferred[None]") -> None:
        if self._too_late is not None and self._too_late.active():
            self._too_late.cancel()
        self._notifier.ended()
        if not done.called:
            done.callback(None)

    def _go_anyway(self, done: "Deferred[None]") -> None:
        self.log.error("{seconds} s after the drain time not all has ended; it is not waited for", seconds=STOP_MARGIN)
        self._gone(None, done)

    def _at_once(self) -> None:
        """A second signal: what waits is written, and the PID file goes, as twistd will not come to it."""
        self._part.flush()
        if self._place.pidfile is not None:
            Path(self._place.pidfile).unlink(missing_ok=True)


def numbers(uid: int | None, gid: int | None) -> tuple[int, int] | None:
    """Whose a new log file is: the daemon's user; None where there is no other than ours."""
    if os.geteuid() or (uid is None and gid is None):
        return None
    return -1 if uid is None else uid, -1 if gid is None else gid
