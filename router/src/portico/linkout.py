"""What goes out over a link besides connections, and whom a link tells what happens on it.

Control messages wait their turn where connections may be refused. What the replica has handed back is the owner's only when
TAKEN for it has gone out.
"""

import socket
from abc import ABC, abstractmethod
from collections import deque
from typing import Any, Protocol, TypeVar

from svckit.handoff import packets
from svckit.handoff.cell import Cell
from svckit.handoff.codec import VERSION, Welcome, encode

from .arrival import Arrival, HandedBack
from .poller import READ, WRITE, Poller

__all__ = ["BATCH", "Outgoing", "Owner"]

BATCH = 64
"""Packets read at one go."""

_WELCOME = encode(Welcome(VERSION))

L = TypeVar("L", contravariant=True)


class Owner(Protocol[L]):
    """Whom a link (L) tells what happens on it; the handoff target."""

    def ready(self, link: L) -> None:
        """The replica can be offered connections, for the first time or again."""

    def taken(self, link: L, arrivals: list[Arrival]) -> None:
        """These connections are the replica's."""

    def returned(self, link: L, arrivals: list[HandedBack]) -> None:
        """Connections that the replica handed back."""

    def ended(self, link: L, reclaimed: list[Arrival]) -> None:
        """The replica is gone; these it never took."""


class Outgoing(ABC):
    """The part of a link that says things."""

    def __init__(self, sock: socket.socket, owner: Owner[Any], poller: Poller) -> None:
        packets.widen(sock)
        self._sock, self._owner, self._poller = sock, owner, poller
        self._cell = Cell()
        self._unsent: deque[bytes] = deque()
        self._blocked = self._leaving = False
        self._came: list[HandedBack] = []
        self._watched = READ

    @abstractmethod
    def _take_from_the_dead(self) -> None:
        """TAKEN cannot be said any more."""

    def _block(self) -> None:
        if not self._blocked:
            self._blocked = True
            self._watch()

    def _watch(self) -> None:
        """With a batch of hand-backs for which TAKEN cannot be said, nothing more is heard until it can."""
        wanted = (WRITE if self._blocked else 0) | (0 if self._blocked and len(self._came) >= BATCH else READ)
        if wanted != self._watched:
            self._poller.change(self._sock.fileno(), self._watched, wanted)
            self._watched = wanted

    def _send(self, packet: bytes) -> None:
        """Control messages wait their turn where connections may be refused."""
        self._unsent.append(packet)
        if not self._blocked:
            self._flush()

    def _flush(self) -> None:
        while self._unsent:
            packet = self._unsent[0]
            try:
                packets.send(self._sock, packet, self._cell.descriptor if packet == _WELCOME else None)
            except (BlockingIOError, InterruptedError):
                self._block()
                return
            except OSError:
                self._unsent.clear()
                self._take_from_the_dead()
                break
            self._unsent.popleft()
        if self._came and not self._leaving:
            came, self._came = self._came, []
            self._owner.returned(self, came)
