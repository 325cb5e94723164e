"""How a link ends: the replica goes, the router goes, or the replica takes nothing and its connections are taken back.

At the end everything that the replica had not taken is still ours, untouched, and goes to another one. That is exact, because a
replica says TAKEN before it serves a byte, and what it said can be read before the end-of-file. The same holds for what it has
handed back: without our TAKEN it is the replica's, unless that is dead, and the cell tells which.
"""

import contextlib
import socket
from abc import abstractmethod
from typing import Any

from svckit.handoff import packets
from svckit.handoff.codec import Farewell, encode
from svckit.handoff.custody import Custody

from .arrival import Arrival
from .linkout import BATCH, Outgoing, Owner
from .poller import Poller

__all__ = ["Ending"]


class Ending(Outgoing):
    """The part of a link that ends it."""

    def __init__(self, sock: socket.socket, owner: Owner[Any], poller: Poller) -> None:
        super().__init__(sock, owner, poller)
        self._custody: Custody[Arrival] = Custody()
        self._revoked = self.ended = False
        self.leftover: socket.socket | None = None
        """At the end: the link's socket, where something that was sent to the replica may still lie in it."""

    @abstractmethod
    def _read(self) -> None:
        """Hear a batch of what the replica has said; ends the link where that has ended."""

    def leave(self) -> None:
        """Take nothing back any more, as the router ends: at the end of the link it is the replica's, for another router.

        It is kept until then, as it is ours where the replica dies first.
        """
        self._leaving = True

    def revoke(self) -> None:
        """Take back what the replica has not taken in time. It may wake up later: the cell tells it that it came too late."""
        self._revoked = True
        if self._leaving:
            self._send(encode(Farewell()))  # which also tells whether the replica is dead
        self._cell.revoke()
        self._sock.shutdown(socket.SHUT_RD)  # from now on it cannot say TAKEN; what it had said is still to be read
        for _ in range(len(self._custody) + BATCH):
            if self.ended:
                return
            self._read()
        self.end()

    def end(self, gone: bool = False) -> None:
        """Close the link; what was not taken goes back to the owner. `gone`: it was the replica that ended."""
        if self.ended:
            return
        self.ended = True
        self._poller.remove(self._sock.fileno())
        packets.empty(self._sock)
        if self._custody:
            self.leftover = self._sock
            with contextlib.suppress(OSError):
                self._sock.shutdown(socket.SHUT_RDWR)
        else:
            self._sock.close()
        self._unsent.clear()
        if gone:
            self._take_from_the_dead()
        self._let_go_of_untaken()
        self._cell.close()
        self._owner.ended(self, self._custody.reclaim())

    def _take_from_the_dead(self) -> None:
        """TAKEN cannot be said any more: a dead replica has let go of its hand-backs, a living one has kept them."""
        if self._cell.is_withdrawn:
            self._let_go_of_untaken()
            return
        came, self._came = self._came, []
        if came:
            self._owner.returned(self, came)

    def _let_go_of_untaken(self) -> None:
        """Hand-backs for which TAKEN could not be said are still the replica's: it has its own descriptors of them."""
        came, self._came = self._came, []
        for arrival in came:
            arrival.close()
