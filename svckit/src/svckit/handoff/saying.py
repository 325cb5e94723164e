"""What a replica says on a link, in order: it waits where the router does not read, and TAKEN lets its connections in."""

import errno
import socket
from abc import abstractmethod
from collections import deque
from typing import Any, Generic

from . import packets
from .codec import Draining, Load, encode
from .custody import Custody
from .edge import Edge, Owner, R

__all__ = ["RETRY", "Saying"]

RETRY = 0.05
"""Seconds until a hand-back is tried again when too many descriptors are on their way; no event tells that there are fewer."""


class Saying(Edge, Generic[R]):
    """The part of a link that says things."""

    def __init__(self, sock: socket.socket, owner: Owner[Any, R]) -> None:
        sock.setblocking(False)
        packets.widen(sock)
        self._sock, self._owner = sock, owner
        self._custody: Custody[R] = Custody()
        self._unsent: deque[tuple[bytes, socket.socket | None, int]] = deque()  # packet, what goes with it, number of a TAKEN
        self.ended = self.said_farewell = self._draining = self._writing = False
        self._waits_since = 0.0

    @abstractmethod
    def _watch(self) -> None:
        """Something is about to be asked of the router."""

    @abstractmethod
    def _adopt_arrived(self, number: int | None = None) -> None:
        """TAKEN is said for those up to `number`."""

    @abstractmethod
    def _decide_on_arrived(self) -> None:
        """TAKEN could not be said, as the link has ended."""

    @property
    def settled(self) -> bool:
        """Nothing of ours is on its way to the router."""
        return self.ended or (not self._custody and not self._unsent)

    def say_draining(self) -> None:
        """Ask the router for no more connections."""
        self._watch()
        self._draining = True
        self._send(encode(Draining()))

    def say_load(self) -> None:
        """Tell how many connections are open."""
        self._send(encode(Load(self._owner.load())))

    def hand_back(self, returned: R) -> None:
        """Send a connection back; it is in our custody until the router takes it."""
        self._watch()
        number = self._custody.sent(returned)
        self._send(returned.packet(number), returned.sock)

    def _send(self, packet: bytes, carried: socket.socket | None = None, taken: int = 0) -> None:
        if self.ended:
            return
        self._unsent.append((packet, carried, taken))
        if len(self._unsent) == 1:
            self._flush()

    def _flush(self) -> None:
        while self._unsent:
            packet, carried, taken = self._unsent[0]
            try:
                packets.send(self._sock, packet, None if carried is None else carried.fileno())
            except (BlockingIOError, InterruptedError):
                self._wait_for_room(True)
                return
            except OSError as error:
                if error.errno == errno.ETOOMANYREFS:
                    self._waits_since = self._now()  # not this router's fault
                    self._wait_for_room(False)
                    self._later(RETRY, self._writable)
                    return
                # Not ended here: connections that were sent to us may still lie unread in the queue.
                self._unsent.clear()
                self._decide_on_arrived()
                break
            self._unsent.popleft()
            if taken:
                self._adopt_arrived(taken)
        if not self.ended:
            self._wait_for_room(False)

    def _wait_for_room(self, waits: bool) -> None:
        """Only changes are the loop's affair: it is asked here after every packet."""
        if waits != self._writing:
            self._writing = waits
            (self._start_writing if waits else self._stop_writing)()

    def _writable(self) -> None:
        """The router reads again."""
        if self.ended:
            return
        self._flush()
        if self.said_farewell and self.settled:
            self._owner.farewell(self)
