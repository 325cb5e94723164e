"""The tunnels of one tcp service: those through which something moves, and those that are records (`resting`) until it does."""

import socket
from collections.abc import Callable, Iterator
from math import ceil
from typing import NamedTuple

from svckit.reactors import Reactor

from ..accesslog import AccessLog
from ..arrival import Arrival, RawSocket
from ..config import Tcp
from ..core.termination import DATA, Who
from ..pipes import NO_PIPES, Pipes
from ..places import ClientSocket
from ..poller import Poller, Stirs
from ..resting import Resting, can_rest, other_of, when_of
from ..tunnel import Ended, Tunnel, join, rejoin
from .connect import Replica
from .crowd import QUIET, Crowd
from .idle import IdleTunnels

__all__ = ["Tunnels"]


class _Ends(NamedTuple):
    """Whose tunnel it is."""

    arrival: Arrival
    replica: Replica
    up: int
    """Bytes before it was this tunnel."""
    down: int
    woken: bool = False
    """It has rested before."""


class Tunnels:
    """All of them; ended ones are told to the access log."""

    def __init__(
        self, settings: Tcp, poller: Poller, pipes: Pipes, reactor: Reactor, access: AccessLog, fewer: Callable[[], None]
    ) -> None:
        """`fewer` is called when one has ended."""
        self._poller, self._pipes, self._access, self._fewer = poller, pipes, access, fewer
        self._awake: dict[Tunnel, _Ends] = {}
        self._resting = Resting()
        self._records: dict[int, bytes] = {}  # by the client's descriptor
        self._clients: dict[int, int] = {}  # by the server's
        self._common: Stirs = self._stirs  # one object for all
        self._crowd = Crowd()
        self._idle = IdleTunnels(settings.tunnel_idle, settings.half_closed_idle, self._awake, reactor, self._looked)
        self._quiet = ceil(QUIET / self._idle.interval)

    def __len__(self) -> int:
        return len(self._awake) + len(self._records)

    def start(self) -> None:
        """Begin to look for those that are idle."""
        self._idle.start()

    def stop(self) -> None:
        """Look no more."""
        self._idle.stop()

    def join(
        self, arrival: Arrival, server: RawSocket, replica: Replica, preface: bytes, reply: bytes, up: int, down: int
    ) -> None:
        """Join the two; `up` and `down` are the bytes that went through before."""
        arrival.onward = None  # it asks nothing more, and may live for days

        def made(ended: Ended) -> Tunnel:
            return join(arrival.sock, server, preface, self._poller, _pipes_for(arrival, self._pipes), ended, reply)

        self._add(_Ends(arrival, replica, up, down), made)
        if len(self._awake) >= self._crowd.full:
            self._look_at_crowd()

    def _add(self, ends: _Ends, make: Callable[[Ended], Tunnel]) -> Tunnel:
        tunnel: Tunnel

        def ended(how: str, up: int, down: int) -> None:
            del self._awake[tunnel]
            ends.replica.load -= 1
            why = "idle" if tunnel.idle else None
            self._access.tunnel_ended(ends.arrival, ends.replica.name, how, ends.up + up, ends.down + down, why)
            self._fewer()

        tunnel = make(ended)
        self._awake[tunnel] = ends
        return tunnel

    def cut(self, by: Who) -> None:
        """Break them all off."""
        for tunnel in list(self._awake):
            tunnel.close(by + DATA, reset=True)
        for tunnel in self._wake_each(list(self._records)):
            tunnel.close(by + DATA, reset=True)

    # -- rest

    def _look_at_crowd(self) -> None:
        """Lay down those through which nothing has moved since the last time, and that have never rested."""
        quiet: list[Tunnel] = []
        for tunnel, ends in self._awake.items():
            if not ends.woken:
                moved = tunnel.moved
                if tunnel.moved_before == moved:
                    quiet.append(tunnel)
                tunnel.moved_before = moved
        self._lay_down(quiet)
        self._crowd.looked(len(self._awake))

    def _looked(self, looks: int) -> None:
        """The timer has compared all that are awake."""
        if self._idle.idle is not None:
            late = [client for client, record in self._records.items() if looks - when_of(record) >= self._idle.idle]
            for tunnel in self._wake_each(late):
                tunnel.end_idle()
        self._lay_down([tunnel for tunnel in self._awake if looks - self._idle.since(tunnel) >= self._quiet])
        self._crowd.calmed(len(self._awake))

    def _lay_down(self, quiet: list[Tunnel]) -> None:
        awake = self._awake
        may = [tunnel for tunnel in quiet if tunnel.is_quiet and can_rest(awake[tunnel].arrival)]
        for tunnel in may[: self._crowd.at_most(len(awake))]:
            self._lay_down_one(tunnel, awake[tunnel])

    def _lay_down_one(self, tunnel: Tunnel, ends: _Ends) -> None:
        arrival, poller, client, server = ends.arrival, self._poller, tunnel.client, tunnel.server
        sock = arrival.sock
        assert isinstance(sock, ClientSocket)
        ours, other = sock.fileno(), server.sock.fileno()
        up, down = ends.up + client.moved, ends.down + server.moved
        record = self._resting.record(arrival, ends.replica, up, down, self._idle.since(tunnel), other)
        if record is None:
            return
        self._records[ours], self._clients[other] = record, ours
        poller.rest(ours, self._common)
        poller.rest(other, self._common)
        tunnel.lay_down()
        self._idle.forget(tunnel)
        del self._awake[tunnel]
        sock.lay_down()
        server.sock.detach()

    def _stirs(self, descriptor: int, events: int) -> None:
        """Something has happened to one of the two sockets of a record."""
        client = self._clients.get(descriptor, descriptor)
        if client in self._records:
            self._wake(client)
            self._poller.tell(descriptor, events)
            if len(self._awake) >= self._crowd.full:
                self._look_at_crowd()

    def _wake_each(self, clients: list[int]) -> Iterator[Tunnel]:
        """One after the other, as what is done with one may end others."""
        for client in clients:
            if client in self._records:
                yield self._wake(client)

    def _wake(self, client: int) -> Tunnel:
        record = self._records[client]
        woken = self._resting.wake(client, record)
        other = other_of(record)
        del self._records[client], self._clients[other]
        arrival, replica = woken.arrival, woken.server
        server = RawSocket(socket.AF_INET, socket.SOCK_STREAM, 0, other)
        assert isinstance(replica, Replica)

        def made(ended: Ended) -> Tunnel:
            return rejoin(arrival.sock, server, self._poller, _pipes_for(arrival, self._pipes), ended)

        try:
            tunnel = self._add(_Ends(arrival, replica, woken.up, woken.down, True), made)
        except BaseException:
            self._lose(arrival, server, replica)
            raise
        self._idle.recall(tunnel, int(when_of(record)))
        return tunnel

    def _lose(self, arrival: Arrival, server: RawSocket, replica: Replica) -> None:
        """It cannot be woken. No trace of it may stay: its descriptors are somebody else's soon."""
        for sock in (arrival.sock, server):
            self._poller.wake(sock.fileno(), _nobody)
            self._poller.remove(sock.fileno())
            sock.close()
        replica.load -= 1
        self._fewer()


def _nobody(events: int) -> None:
    """Called for nothing."""


def _pipes_for(arrival: Arrival, pipes: Pipes) -> Pipes:
    return NO_PIPES if arrival.shared else pipes
