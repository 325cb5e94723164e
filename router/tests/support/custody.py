"""Routers and replicas of which only the links are real, and which can be killed at any of their system calls."""

import os
import socket
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from portico import link as router_side
from portico.arrival import Arrival, HandedBack, RawSocket
from portico.core.clienthello import TlsFacts
from portico.poller import READ, WRITE
from portico.provenance import Provenance
from svckit.handoff import link as replica_side
from svckit.handoff.cell import is_revoked
from svckit.handoff.codec import VERSION, Connection, Hello

from .reactor import HandReactor
from .wires import LISTENER

if TYPE_CHECKING:
    from .ledger import Ledger

SMALLEST_BUFFER = 4_608
"""Bytes: a few packets fill the link, so that saying TAKEN may have to wait."""


class Killed(BaseException):
    """The process is gone, at this very system call."""


class Connected:
    """One client's connection, and who has to answer for it."""

    def __init__(self, number: int, router: "RouterProcess") -> None:
        self.number = number
        self.client, theirs = socket.socketpair()
        self.client.setblocking(False)
        arrival = Arrival(RawSocket(socket.AF_UNIX, socket.SOCK_STREAM, 0, theirs.detach()), ("192.0.2.1", number), LISTENER, 0)
        arrival.tls_facts = TlsFacts(None, ())  # the plain side of a TLS client: a local socket, which is cheap here
        self.responsible: Process = router
        self.inherited = False
        self.sent: tuple[list[int], int] | None = None
        """The last time that it changed hands: what went over that wire that way, and which of these it was."""
        router.held[number] = arrival

    def heard(self) -> bytes:
        with suppress(BlockingIOError):
            return self.client.recv(100)
        return b""


class Wire:
    """A link, seen from both ends."""

    def __init__(self, router: "RouterProcess", replica: "ReplicaProcess", small: bool) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        self.router, self.replica = router, replica
        self.given: list[int] = []
        """Connections in the order in which the router has sent them; and the replica."""
        self.back: list[int] = []
        self.at_router = router_side.Link(ours, "/r/one.sock", "s", (), router, NoPoller(), lambda: 0.0, router.provenance)  # type: ignore[arg-type]
        self.at_replica = replica_side.Link(theirs, replica, HandReactor())  # type: ignore[arg-type]
        if small:
            for end in (ours, theirs):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALLEST_BUFFER)
        self.ends = {id(ours): self.router, id(theirs): self.replica}

    def moves(self) -> list[Callable[[], object]]:
        """What each end would do if it had its turn now."""
        router, replica = self.at_router, self.at_replica
        moves: list[Callable[[], object]] = []
        if self.router.alive and not router.ended:
            if router._blocked:
                moves.append(lambda: router._on_events(WRITE))
            if router._watched & READ:
                moves.append(lambda: router._on_events(READ))
        if self.replica.alive and not replica.ended:
            if replica._unsent:
                moves.append(replica.doWrite)
            moves.append(replica.doRead)
        return moves


class NoPoller:
    """The walk says who is served."""

    def add(self, *_: object) -> None: ...
    def change(self, *_: object) -> None: ...
    def remove(self, *_: object) -> None: ...


class Process(ABC):
    """What a router and a replica have in common: they hold connections, and they can die."""

    def __init__(self, walk: "Ledger") -> None:
        self.walk = walk
        self.alive = True
        self.wires: list[Wire] = []

    @contextmanager
    def acting(self, kill_at: int = 0) -> Iterator[None]:
        """Its turn; with `kill_at` n it is killed just before its n-th system call on a link, or at the end of its turn."""
        self.walk.acting, self.walk.calls_left = self, kill_at or -1
        try:
            yield
        except Killed:
            pass
        finally:
            self.walk.acting, self.walk.calls_left = None, -1
        if kill_at:
            self.die()

    @abstractmethod
    def die(self) -> None:
        """Without a word to anybody."""


class RouterProcess(Process):
    """The router's side above its links."""

    def __init__(self, walk: "Ledger") -> None:
        super().__init__(walk)
        self.held: dict[int, Arrival] = {}
        self.provenance = Provenance("s", b"the same for all")

    def ready(self, link: router_side.Link) -> None: ...

    def taken(self, link: router_side.Link, arrivals: list[Arrival]) -> None:
        for arrival in arrivals:
            arrival.close()

    def returned(self, link: router_side.Link, arrivals: list[HandedBack]) -> None:
        for arrival in arrivals:
            assert arrival.doubt is None
            self._hold(arrival)

    def ended(self, link: router_side.Link, reclaimed: list[Arrival]) -> None:
        for arrival in reclaimed:
            self._hold(arrival)
        if link.leftover is not None:
            link.leftover.close()

    def _hold(self, arrival: Arrival) -> None:
        number = arrival.client[1]
        assert number not in self.held
        self.held[number] = arrival

    def say(self, number: int) -> None:
        self.held[number].sock.send(b"r")

    def die(self) -> None:
        self.alive = False
        for wire in self.wires:
            cell = wire.at_router._cell.descriptor  # closed, where this one has died before
            if not wire.at_router.ended and not wire.at_replica.ended and cell >= 0 and not is_revoked(cell):
                self.walk.passes(wire.given, len(wire.given), self, wire.replica)
            link = wire.at_router
            link._sock.close()
            link._cell.close()
            for arrival in [*link._custody.reclaim(), *link._came]:
                arrival.sock.close()
            if link.leftover is not None:
                link.leftover.close()
        for arrival in self.held.values():
            arrival.sock.close()
        self.held.clear()


class ReplicaProcess(Process):
    """The replica's side above its links."""

    def __init__(self, walk: "Ledger") -> None:
        super().__init__(walk)
        self.held: dict[int, replica_side.Returned] = {}

    def hello(self) -> Hello:
        return Hello(VERSION, 100, "s", "one")

    def adopt(self, connection: Connection, descriptor: int, link: replica_side.Link) -> None:
        sock = socket.socket(fileno=descriptor)
        returned = replica_side.Returned(sock, connection.client, connection.listener, b"", connection.tls, connection.seal)
        self._hold(returned)

    def routes(self, patterns: tuple[tuple[str, bool], ...]) -> None: ...
    def welcomed(self, link: replica_side.Link) -> None: ...
    def farewell(self, link: replica_side.Link) -> None: ...

    def ended(self, link: replica_side.Link, returned: list[replica_side.Returned]) -> None:
        for each in returned:
            self._hold(each)

    def load(self) -> int:
        return len(self.held)

    def _hold(self, returned: replica_side.Returned) -> None:
        number = returned.client[1]
        assert number not in self.held
        self.held[number] = returned

    def say(self, number: int) -> None:
        self.held[number].sock.send(b"p")

    def die(self) -> None:
        self.alive = False
        for wire in self.wires:
            link = wire.at_replica
            if not link.ended and not wire.at_router.ended:
                unsent = sum(carried is not None for _, carried, _ in link._unsent)
                self.walk.passes(wire.back, len(wire.back) - unsent, self, wire.router)
            link._sock.close()
            if link._cell >= 0:
                os.close(link._cell)
                link._cell = -1
            while link._arrived:
                os.close(link._arrived.popleft()[1])
            for returned in link._custody.reclaim():
                returned.sock.close()
        for each in self.held.values():
            each.sock.close()
        self.held.clear()
