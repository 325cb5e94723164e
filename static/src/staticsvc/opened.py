"""Hot files that stay open from one request to the next, so that a request for one opens and closes nothing.

What is open is lent only after a look at its path: it must lead to the same file still, through folders and not through links
(`Prepared.holds`). What is not asked for is closed after `IDLE` to twice `IDLE` seconds, and so is what was removed or
replaced: its space on the disk is not held for longer.
"""

import os
import resource
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime

__all__ = ["IDLE", "MOST_OPEN", "SHARE", "Lendable", "Opened"]

MOST_OPEN = 512
"""Files that are kept open at most; for one more the oldest is closed."""
SHARE = 32
"""And no more than one of so many descriptors that the process may have: 32 of 1,024."""
IDLE = 10.0
"""Seconds between two looks for what is open and was not asked for."""


class Lendable(Protocol):
    """What can be kept open."""

    fd: int
    lent: bool

    def open(self) -> int: ...
    def holds(self) -> bool: ...


class Opened:
    """The files that are open now."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._most = max(1, min(MOST_OPEN, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // SHARE))
        self._open: dict[int, Lendable] = {}
        self._sweeping: IDelayedCall | None = None
        self._ended = False

    def __len__(self) -> int:
        return len(self._open)

    def lend(self, file: Lendable) -> int:
        """The open file, to be used at once and not to be closed; -1 where it is not what it was."""
        if file.fd >= 0:
            if file.holds():
                file.lent = True
                return file.fd
            self.close(file)
            return -1
        if self._ended:
            return -1
        fd = file.fd = file.open()
        if fd >= 0:
            while len(self._open) >= self._most:
                self.close(next(iter(self._open.values())))
            self._open[fd] = file
            file.lent = True
            if self._sweeping is None:
                self._sweeping = self._clock.callLater(IDLE, self._sweep)
        return fd

    def close(self, file: Lendable) -> None:
        """Keep it open no longer."""
        if file.fd >= 0:
            del self._open[file.fd]
            os.close(file.fd)
            file.fd = -1

    def _sweep(self) -> None:
        for file in list(self._open.values()):
            if not (file.lent and file.holds()):
                self.close(file)
            file.lent = False
        self._sweeping = self._clock.callLater(IDLE, self._sweep) if self._open else None

    def end(self) -> None:
        """Close all, and keep none open from now on."""
        self._ended = True
        if self._sweeping is not None:
            self._sweeping.cancel()
            self._sweeping = None
        for file in list(self._open.values()):
            self.close(file)
