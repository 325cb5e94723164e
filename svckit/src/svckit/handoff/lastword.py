"""The last word on a connection that nobody takes back, for Twisted. What it does is in `svckit.handoff.wordend`."""

import socket
from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from ..reactors import Reactor
from .wordend import WordEnd

__all__ = ["LastWord"]


class LastWord(WordEnd):
    """One socket; a descriptor of the Twisted reactor."""

    def __init__(self, sock: socket.socket, answer: bytes, reactor: Reactor) -> None:
        """`sock` belongs to this from now on. No `answer`: it is closed at once."""
        self._reactor = reactor
        super().__init__(sock, answer)

    # -- for the reactor

    def fileno(self) -> int:
        return self._sock.fileno()

    def logPrefix(self) -> str:
        return "LastWord"

    def doRead(self) -> None:
        self._read()

    def connectionLost(self, reason: Failure) -> None:
        """The reactor has found the descriptor unusable."""
        self._close()

    # -- the reactor

    def _later(self, delay: float, call: Callable[[], None]) -> IDelayedCall:
        return self._reactor.callLater(delay, call)

    def _start_reading(self) -> None:
        self._reactor.addReader(self)  # type: ignore[arg-type]

    def _stop_reading(self) -> None:
        self._reactor.removeReader(self)  # type: ignore[arg-type]
