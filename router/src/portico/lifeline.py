"""A worker's side of the two pipes to its parent: notice the parent's end, and say READY. See `portico.workers`."""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

from svckit.reactors import Reactor
from twisted.logger import Logger

from .workers import FROM_PARENT, READY, TO_PARENT

__all__ = ["Lifeline"]


class Lifeline:
    """A descriptor of the reactor which can be read when the parent has ended."""

    log = Logger()

    def __init__(
        self, reactor: Reactor, lost: Callable[[], None], from_parent: int = FROM_PARENT, to_parent: int = TO_PARENT
    ) -> None:
        """`lost` is called once, when the parent has ended."""
        self._reactor, self._lost = reactor, lost
        self._from_parent, self._to_parent = from_parent, to_parent
        os.set_blocking(from_parent, False)
        self.is_cut = False

    def start(self) -> None:
        """Begin to look, and tell the parent that this worker is ready."""
        self._reactor.addReader(self)  # type: ignore[arg-type]
        with contextlib.suppress(OSError):  # the parent is gone; that is about to be read
            os.write(self._to_parent, READY)

    def fileno(self) -> int:
        """For the reactor."""
        return self._from_parent

    def logPrefix(self) -> str:
        """For the reactor."""
        return "lifeline"

    def doRead(self) -> None:
        """For the reactor."""
        self.connectionLost(None)

    def connectionLost(self, reason: object) -> None:
        """For the reactor: at a pipe's end, which it takes for a disconnection, and at its own."""
        if self.is_cut or not self._is_over():
            return
        self._reactor.removeReader(self)  # type: ignore[arg-type]
        self.is_cut = True
        self.log.error("the parent process has ended, and so does this worker")
        self._lost()

    def _is_over(self) -> bool:
        try:
            return not os.read(self._from_parent, 1)  # the parent says nothing on it
        except BlockingIOError:
            return False

    def clean_up(self, keeper: Path) -> None:
        """After the parent's sudden death: remove its socket, and its folder when the last worker has left it."""
        if self.is_cut:
            with contextlib.suppress(OSError):
                keeper.unlink(missing_ok=True)
                keeper.parent.rmdir()
