"""The last word on a connection that nobody takes back, whatever loop turns it: an answer, and an end that lets it arrive.

A socket closed with unread bytes in it is reset, and that may eat the answer. So our side is ended, which is right here as
nobody else has the connection, and what the client still sends is read away, for a while (RFC 9112 section 9.6).

It knows no loop. `svckit.handoff.lastword` puts it into a Twisted reactor, `svckit.handoff.aio.lastword` into an event loop of
asyncio.
"""

import socket

from ..linger import LINGER_BYTES, LINGER_TIME
from .edge import Alarm, Reads

__all__ = ["WordEnd"]

_PIECE = 65_536


class WordEnd(Reads):
    """One socket, until the client has ended its side, or for `LINGER_TIME` and `LINGER_BYTES` at most."""

    def __init__(self, sock: socket.socket, answer: bytes) -> None:
        """`sock` belongs to this from now on. No `answer`: it is closed at once."""
        self._sock = sock
        self._left = LINGER_BYTES
        self._alarm: Alarm | None = None
        try:
            if answer:
                sock.send(answer, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
            sock.shutdown(socket.SHUT_WR if answer else socket.SHUT_RDWR)
        except OSError:  # the client went first, or does not read
            answer = b""
        if not answer:
            sock.close()
            return
        self._alarm = self._later(LINGER_TIME, self._time_is_up)
        self._start_reading()

    def _read(self) -> None:
        try:
            piece = self._sock.recv(_PIECE, socket.MSG_DONTWAIT)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            piece = b""
        self._left -= len(piece)
        if not piece or self._left <= 0:
            self._close()

    def _time_is_up(self) -> None:
        self._alarm = None
        self._close()

    def _close(self) -> None:
        if self._sock.fileno() < 0:
            return
        if self._alarm is not None:
            self._alarm.cancel()
        self._stop_reading()
        self._sock.close()
