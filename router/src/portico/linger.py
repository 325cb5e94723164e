"""Answer and close so that the answer arrives.

A socket closed with unread bytes in it sends RST, and RST makes the client's kernel throw away what it has not read yet: the
answer. So: send, end our side, read away what the client still sends until it ends its side, and close. Bounded in time and
bytes, as a client may go on sending for ever (RFC 9112 section 9.6).
"""

import socket

from svckit.reactors import Reactor

from .arrival import Arrival
from .core.answers import Answer
from .poller import READ, Poller

__all__ = ["Linger"]

LINGER_TIME = 2.0
"""Seconds that a client has to end its side after an answer."""
LINGER_BYTES = 1 << 20
"""Bytes that are read away at most."""
_PIECE = 65_536


class Linger:
    """One connection that has had its answer."""

    def __init__(self, arrival: Arrival, answer: Answer, poller: Poller, reactor: Reactor) -> None:
        self._arrival, self._sock, self._poller = arrival, arrival.sock, poller
        self._left = LINGER_BYTES
        try:
            self._sock.send(answer.wire, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
            self._sock.shutdown(socket.SHUT_WR)
        except OSError:  # the client is gone, or does not read: nothing more is owed
            arrival.close()
            return
        poller.add(self._sock.fileno(), READ, self._readable)
        self._timeout = reactor.callLater(LINGER_TIME, self._close)

    def _readable(self, events: int) -> None:
        try:
            piece = self._sock.recv(_PIECE, socket.MSG_DONTWAIT)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            piece = b""
        self._left -= len(piece)
        if not piece or self._left <= 0:
            self._timeout.cancel()
            self._close()

    def _close(self) -> None:
        self._poller.remove(self._sock.fileno())
        self._arrival.close()
