"""One of the two sockets of a TLS session: what waits to be sent on it, and what it is watched for."""

import contextlib
import socket
from _socket import socket as RawSocket
from collections.abc import Callable

from .poller import READ, Poller

__all__ = ["Side"]

_SEND_FLAGS = int(socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)


class Side:
    """One socket of the two."""

    __slots__ = ("_watched", "closed_for_writing", "pending", "poller", "sock")

    def __init__(self, sock: RawSocket, poller: Poller, callback: Callable[[int], None]) -> None:
        self.sock, self.poller = sock, poller
        self.pending = bytearray()
        self.closed_for_writing = False
        self._watched = READ
        poller.add(sock.fileno(), READ, callback)

    def want(self, events: int) -> None:
        """Be told of these and of no others."""
        if events != self._watched:
            self.poller.change(self.sock.fileno(), self._watched, events)
            self._watched = events

    def send_pending(self) -> bool:
        """Send what waits; whether any of it went.

        Raises:
            OSError: the connection has broken.
        """
        before = len(self.pending)
        while self.pending:
            try:
                sent = self.sock.send(self.pending, _SEND_FLAGS)
            except (BlockingIOError, InterruptedError):
                break
            del self.pending[:sent]
        return len(self.pending) < before

    def end_writing(self) -> None:
        """Nothing more goes out here."""
        if not self.closed_for_writing:
            self.closed_for_writing = True
            with contextlib.suppress(OSError):
                self.sock.shutdown(socket.SHUT_WR)

    def leave(self) -> None:
        """Be told of nothing more."""
        self.poller.remove(self.sock.fileno(), self._watched)
