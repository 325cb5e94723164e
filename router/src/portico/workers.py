"""Worker processes: started, told what the parent is told, started again when they die, and waited for.

Each worker is a whole router with links of its own to the replicas. It borrows its ports from the parent, their keeper. Three
pipes join it to the parent: on one it says that it is ready, one ends when the parent does, however that comes about, and on
one it is told at its start which replicas are drained.
"""

import contextlib
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any

from svckit.reactors import Reactor
from svckit.signals import KILLED
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.interfaces import IDelayedCall, IReactorProcess
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from .drains import FROM_DRAINS, Drains

__all__ = ["FROM_PARENT", "READY", "TO_PARENT", "Worker", "Workers"]

FROM_PARENT, TO_PARENT = 3, 4
"""Descriptors of a worker: the one that ends with the parent, and the one on which it says READY."""
READY = b"ready"
SHORTEST_DELAY, LONGEST_DELAY = 0.2, 5.0
"""Seconds before a worker that has died is started again; doubled each time that it dies soon."""
SOON = 10.0
"""Seconds; a worker that lives longer is started again after the shortest delay."""
BAD_USAGE = 2
"""Exit status of a worker that cannot start, as it was told something wrong."""
KILL_TIME = 2.0
"""Seconds after the second signal until workers that are still there are killed."""


class Worker(ProcessProtocol):
    """One worker, in one process after the other."""

    log = Logger()

    def __init__(self, number: int, command: Sequence[str], workers: "Workers") -> None:
        self.number, self._command, self._workers = number, command, workers
        self.state = "starting"
        """`starting`, `ready`, `draining`, `waiting` (to be started again) or `ended`."""
        self.pid: int | None = None
        self.was_ready = False
        self._reload_due = False
        self._delay = SHORTEST_DELAY
        self._since = 0.0
        self._restart: IDelayedCall | None = None
        self._process: Any = None

    def status(self) -> dict[str, object]:
        """For `/status`."""
        return {"worker": self.number, "pid": self.pid, "state": self.state}

    def start(self) -> None:
        """Start a process."""
        self.state, self._reload_due, self._restart = "starting", False, None
        self._since = self._workers.reactor.seconds()
        descriptors: dict[int, int | str] = {0: 0, 1: 1, 2: 2, FROM_PARENT: "w", TO_PARENT: "r", FROM_DRAINS: "w"}
        process = self._process = IReactorProcess(self._workers.reactor).spawnProcess(
            self,
            sys.executable,
            self._command,
            env=None,  # the parent's
            childFDs=descriptors,
        )
        self.pid = self._process.pid
        self.log.info("worker {worker} is process {pid}", worker=self.number, pid=self.pid)
        self._workers.drained().addCallback(self._tell_drained, process)

    def _tell_drained(self, drained: bytes, process: Any) -> None:
        """It waits for that, unless it has ended meanwhile."""
        if process is self._process:
            with contextlib.suppress(KeyError):  # it is about to end, and has closed the pipe
                process.writeToChild(FROM_DRAINS, drained)
                process.closeChildFD(FROM_DRAINS)

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        """It says that it is ready."""
        if self.state != "starting" or READY not in data:
            return
        self.state, self.was_ready = "ready", True
        if self._reload_due:
            self.tell(signal.SIGHUP)

    def tell(self, number: int) -> None:
        """Pass a signal on."""
        if self._process is None or self._process.pid is None:
            return
        if number == signal.SIGHUP and self.state == "starting":
            self._reload_due = True  # it has no handler yet, and may have read the file already
            return
        with contextlib.suppress(ProcessExitedAlready):
            self._process.signalProcess(number)

    def stop(self, number: int) -> None:
        """Let it drain, and start it no more."""
        if self._restart is not None:
            self._restart.cancel()
            self._restart = None
            self._over(0)
        elif self.state != "ended":
            self.state = "draining" if self.state == "ready" else "stopped"
            self.tell(number)

    def processEnded(self, reason: Failure) -> None:
        """The process is gone."""
        ended: Any = reason.value
        status = KILLED + ended.signal if ended.signal is not None else ended.exitCode or 0
        was, self.pid, self._process = self.state, None, None
        if self._workers.stopping:
            self._over(0 if was == "stopped" else status)  # told to stop before it could drain
            return
        if status == BAD_USAGE and not self.was_ready:
            self._over(status)
            self._workers.cannot_start()
            return
        now = self._workers.reactor.seconds()
        self._delay = SHORTEST_DELAY if now - self._since > SOON else min(2 * self._delay, LONGEST_DELAY)
        self.log.error(
            "worker {worker} has ended with {status} and is started again in {delay} s",
            worker=self.number,
            status=status,
            delay=self._delay,
        )
        self.state = "waiting"
        self._restart = self._workers.reactor.callLater(self._delay, self.start)

    def _over(self, status: int) -> None:
        self.state = "ended"
        self._workers.ended(status)


class Workers:
    """All of them."""

    def __init__(
        self, count: int, command: Callable[[int], Sequence[str]], reactor: Reactor, drains: Drains | None = None
    ) -> None:
        """`command` starts the worker of a number, counted from 0; `drains` is None where nothing can be drained."""
        self.reactor, self._drains = reactor, drains
        self.all = [Worker(number, command(number), self) for number in range(count)]
        self.stopping = False
        self.status = 0
        """The worst exit status."""
        self.gone: Deferred[int] = Deferred()
        """Fires with the exit status when all have ended."""

    def start(self) -> None:
        """Start them all."""
        for worker in self.all:
            worker.start()

    def drained(self) -> "Deferred[bytes]":
        """Ask those that are ready what is drained, for one that starts, and in case that all of them end at once."""
        return succeed(b"") if self._drains is None else self._drains.ask(self.all)

    def reload(self) -> None:
        """SIGHUP for all."""
        for worker in self.all:
            worker.tell(signal.SIGHUP)

    def stop(self, number: int = signal.SIGTERM) -> None:
        """Let all drain, by the signal that the parent was given."""
        if self.stopping:
            return
        self.stopping = True
        for worker in self.all:
            worker.stop(number)

    def hurry(self, number: int) -> None:
        """A second signal: end at once."""
        for worker in self.all:
            worker.tell(number)
        self.reactor.callLater(KILL_TIME, self._kill)

    def _kill(self) -> None:
        for worker in self.all:
            worker.tell(signal.SIGKILL)

    def cannot_start(self) -> None:
        """A worker was told something wrong, and so were the others."""
        self.status = BAD_USAGE
        self.stop()

    def ended(self, status: int) -> None:
        """One is gone for good."""
        self.status = max(self.status, status)
        if not self.gone.called and all(worker.state == "ended" for worker in self.all):
            self.gone.callback(self.status)
