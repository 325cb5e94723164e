"""The last word on a connection that nobody takes back, under asyncio: an answer, and an end that lets it arrive.

A socket closed with unread bytes in it is reset, and that may eat the answer. So our side is ended, which is right here as
nobody else has the connection, and what the client still sends is read away, for a while (RFC 9112 section 9.6).
"""

import asyncio
import socket

__all__ = ["LINGER_BYTES", "LINGER_TIME", "LastWord"]

LINGER_TIME = 2.0
"""Seconds that a client has to end its side after the answer."""
LINGER_BYTES = 1 << 20
"""Bytes that are read away at most."""
_PIECE = 65_536


class LastWord:
    """One socket, until the client has ended its side, or for `LINGER_TIME` and `LINGER_BYTES` at most."""

    def __init__(self, sock: socket.socket, answer: bytes, loop: asyncio.AbstractEventLoop) -> None:
        """`sock` belongs to this from now on. No `answer`: it is closed at once."""
        self._sock, self._loop = sock, loop
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
        self._timeout = loop.call_later(LINGER_TIME, self._close)
        loop.add_reader(sock.fileno(), self._readable)

    def _readable(self) -> None:
        try:
            piece = self._sock.recv(_PIECE, socket.MSG_DONTWAIT)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            piece = b""
        self._left -= len(piece)
        if not piece or self._left <= 0:
            self._close()

    def _close(self) -> None:
        self._timeout.cancel()
        self._loop.remove_reader(self._sock.fileno())
        self._sock.close()
