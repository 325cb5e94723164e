"""`--workers N`: several router processes on the same ports, which the kernel shares out (SO_REUSEPORT).

The parent does no routing. It starts the workers, passes signals on to them, starts one again that has died, and ends when all
have ended. Each worker is a whole router: its own links to the replicas, its own operators' port (the configured one and those
after it, one for each worker).
"""

import os
import signal
import subprocess  # starts this very program again, nothing from outside
import sys
import time
from types import FrameType

from twisted.logger import Logger

__all__ = ["WORKER_VARIABLE", "Workers"]

WORKER_VARIABLE = "PORTICO_WORKER"
"""In a worker's environment: its number, from 0."""
RESTART_DELAY = 1.0
"""Seconds before a worker that has died is started again."""


class Workers:
    """The parent process."""

    log = Logger()

    def __init__(self, count: int, command: list[str]) -> None:
        """`command` starts one worker."""
        self._command = command
        self._running: dict[int, tuple[int, subprocess.Popen[bytes]]] = {}
        self._due = dict.fromkeys(range(count), 0.0)
        self._stopping = False

    def run(self) -> int:
        """Keep the workers running until a signal ends them; returns the worst exit status."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        signal.signal(signal.SIGHUP, self._pass_on)
        worst = 0
        while self._due or self._running:
            self._start_due()
            status = self._reap()
            if status is not None and self._stopping:
                worst = max(worst, abs(status))
        return worst

    def _start_due(self) -> None:
        now = time.monotonic()
        for index in [index for index, when in self._due.items() if when <= now]:
            del self._due[index]
            worker = subprocess.Popen(self._command, env={**os.environ, WORKER_VARIABLE: str(index)})  # noqa: S603
            self._running[worker.pid] = (index, worker)
            self.log.info("worker {index} is process {pid}", index=index, pid=worker.pid)

    def _reap(self) -> int | None:
        """Wait a moment for a worker to end; its exit status if one has."""
        for pid, (index, worker) in list(self._running.items()):
            status = worker.poll()
            if status is None:
                continue
            del self._running[pid]
            if not self._stopping:
                self.log.error("worker {index} has died ({status}) and is started again", index=index, status=status)
                self._due[index] = time.monotonic() + RESTART_DELAY
            return status
        time.sleep(0.05)
        return None

    def _pass_on(self, number: int, _: FrameType | None) -> None:
        for _index, worker in self._running.values():
            worker.send_signal(number)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._stopping = True
        self._due.clear()
        self._pass_on(number, frame)


def command_without_workers() -> list[str]:
    """How this program was called, for one worker."""
    return [sys.executable, "-m", "portico", *sys.argv[1:]]
