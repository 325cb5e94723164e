"""A connection that a router has handed to this replica, as the one who serves it sees it; and one on its way back."""

import contextlib
import socket
from collections.abc import Callable
from typing import NamedTuple

from ..codec import Address, Connection, Tls, encode_connection

__all__ = ["Accepted", "Returned"]


class Returned(NamedTuple):
    """A connection on its way back to a router."""

    sock: socket.socket
    told: Connection
    """As it came; all that a router has said of it is said again."""
    unread: bytes

    def packet(self, number: int) -> bytes:
        """What the router is told of it, under this number: a CONNECTION."""
        _, client, listener, _, tls, seal = self.told
        return encode_connection(number, client, listener, self.unread, tls, seal)


class Accepted:
    """One connection, taken: nobody else will answer on it.

    Whoever serves it calls `hand_back` or `ended`, once, so that the replica can count and drain.
    """

    def __init__(self, sock: socket.socket, told: Connection, over: "Callable[[Accepted, Returned | None], None]") -> None:
        self.sock = sock
        """A connected stream socket, not blocking. For TLS the end of a socket pair that carries the plain bytes."""
        self.client: Address = told.client
        self.listener: Address = told.listener
        self.preface: bytes = told.unread
        """What was read of it already; comes before anything that is still in the socket."""
        self.tls: Tls | None = told.tls
        """There where the router has ended TLS."""
        self._told = told._replace(unread=b"")
        self.draining = False
        """The replica drains; it may have begun before this connection was served."""
        self.on_drain: Callable[[], None] = _nothing
        """The replica begins to drain: start no new work, end or hand back as soon as what is under way is done."""
        self.on_expire: Callable[[], None] = self.cut
        """The drain time is up: say goodbye and close."""
        self._over = over
        self._is_over = False

    def ended(self) -> None:
        """The connection has ended; the socket is closed by whoever owns it.

        It is shut down here, if it is not closed yet: the router has a descriptor too until it has read TAKEN, and without
        this the client would see the end when the last one is closed.
        """
        if not self._is_over:
            self._is_over = True
            self.cut()
            self._over(self, None)

    def hand_back(self, unread: bytes = b"", sock: socket.socket | None = None) -> None:
        """Give it to a router again, with what was read of it and not answered.

        All that was written must be out, and nothing may read from it any more. `sock` is given where the connection is held
        by another socket now (a duplicate); it belongs to the replica afterwards.
        """
        if not self._is_over:
            self._is_over = True
            self._over(self, Returned(sock or self.sock, self._told, unread))

    def drain(self) -> None:
        """For the replica."""
        self.draining = True
        self.on_drain()

    def cut(self) -> None:
        """End the connection, whoever has a descriptor of it here: its reader sees the end."""
        with contextlib.suppress(OSError):  # closed already, or the client went first
            self.sock.shutdown(socket.SHUT_RDWR)


def _nothing() -> None:
    """Nothing to do at once."""
