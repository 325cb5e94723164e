"""The last word on a connection that nobody takes back, under a Twisted reactor: an answer, and an end that lets it arrive.

A socket closed with unread bytes in it is reset, and that may eat the answer. So our side is ended, which is right here as
nobody else has the connection, and what the client still sends is read away, for a while (RFC 9112 section 9.6).
"""

import socket

from twisted.python.failure import Failure

from ..reactors import Reactor
from ..web import LINGER_BYTES, LINGER_TIME

__all__ = ["LastWord"]

_PIECE = 65_536


class LastWord:
    """One socket, until the client has ended its side, or for `LINGER_TIME` and `LINGER_BYTES` at most."""

    def __init__(self, sock: socket.socket, answer: bytes, reactor: Reactor) -> None:
        """`sock` belongs to this from now on. No `answer`: it is closed at once."""
        self._sock, self._reactor = sock, reactor
        self._left = LINGER_BYTES
        try:
            if answer:
                sock.send(answer, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
            sock.shutdown(socket.SHUT_WR if answer else socket.SHUT_RDWR)
        except OSError:  # the client went first, or does not read
            answer = b""
        if not answer:
            sock.close()
            return
        self._timeout = reactor.callLater(LINGER_TIME, self._close)
        reactor.addReader(self)  # type: ignore[arg-type]

    def fileno(self) -> int:
        return self._sock.fileno()

    def logPrefix(self) -> str:
        return "LastWord"

    def doRead(self) -> None:
        try:
            piece = self._sock.recv(_PIECE, socket.MSG_DONTWAIT)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            piece = b""
        self._left -= len(piece)
        if not piece or self._left <= 0:
            self._close()

    def connectionLost(self, reason: Failure) -> None:
        """The reactor has found the descriptor unusable."""
        self._close()

    def _close(self) -> None:
        if self._sock.fileno() < 0:
            return
        if self._timeout.active():
            self._timeout.cancel()
        self._reactor.removeReader(self)  # type: ignore[arg-type]
        self._sock.close()
