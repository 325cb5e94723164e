"""tcp: an unmodified server somewhere. The router connects, sends the preface, and the kernel moves the rest.

A replica is an address. The name is resolved again every two seconds, whatever its DNS record says about its age: Docker's says
600 s, and a replica that was scaled away would be asked for ten minutes. A name that vanishes gets no new connections; live
ones go on. A replica that refuses or does not answer in time has consumed nothing, so the next one is tried.
"""

import errno
import os
import socket
from collections.abc import Iterator
from itertools import count

from svckit.reactors import Reactor
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import LoopingCall
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..accesslog import AccessLog
from ..arrival import Address, Arrival, RawSocket
from ..config import Limits, Tcp, address
from ..core.answers import BAD_GATEWAY, GATEWAY_TIMEOUT, Answer
from ..core.balance import least_connections
from ..core.closing import closing_head
from ..poller import WRITE, Poller
from ..pump import Pipes, Tunnel, join
from ..service import Refusals, RoutedService

__all__ = ["TcpTarget"]

RESOLVE_INTERVAL = 2.0
"""Seconds between two resolutions of a name."""
BACKEND_RECEIVE_BUFFER = 262_144
"""Bytes; caps what the kernel holds of a response for a slow client."""

_connection_kind = socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC


class Replica:
    """One address of the server."""

    capacity = 1 << 30

    def __init__(self, at: Address) -> None:
        self.at = at
        self.load = 0

    @property
    def name(self) -> str:
        """For logs and status."""
        return "{}:{}".format(*self.at) if ":" not in self.at[0] else "[{}]:{}".format(*self.at)


class TcpTarget:
    """The addresses of one server."""

    log = Logger()

    def __init__(
        self,
        service: RoutedService,
        settings: Tcp,
        limits: Limits,
        poller: Poller,
        pipes: Pipes,
        reactor: Reactor,
        refusals: Refusals,
        access: AccessLog,
    ) -> None:
        self._service, self._settings, self._limits = service, settings, limits
        self._poller, self._pipes, self._reactor = poller, pipes, reactor
        self._refusals, self._access = refusals, access
        self._name = address(settings.address)
        self._replicas: dict[Address, Replica] = {}
        self._attempts: set[_Attempt] = set()
        self._tunnels: set[Tunnel] = set()
        self._turn = count()
        self._resolver = LoopingCall(self._resolve)
        self._resolver.clock = reactor
        self._drained: Deferred[None] | None = None

    # -- target

    def start(self) -> None:
        """Find the addresses, now and again."""
        host, port = self._name
        if _is_numeric(host):
            self._found([(host, port)])
        else:
            self._resolver.start(RESOLVE_INTERVAL)

    def offer(self, arrival: Arrival) -> bool:
        """Begin to connect, to the address with the fewest connections."""
        if not self._replicas or len(self._tunnels) + len(self._attempts) >= self._limits.tunnels:
            return False
        candidates = iter(list(least_connections(list(self._replicas.values()), next(self._turn))))
        attempt = _Attempt(arrival, candidates, self)
        self._attempts.add(attempt)
        attempt.next(BAD_GATEWAY)
        return True

    def stop(self) -> "Deferred[None]":
        """Drain: live tunnels have until the drain time is up."""
        if self._resolver.running:
            self._resolver.stop()
        drained = self._drained = Deferred()
        timer = self._reactor.callLater(self._limits.drain_time, self._cut)

        def done(_: None) -> None:
            if timer.active():
                timer.cancel()

        drained.addCallback(done)
        self._look_whether_drained()
        return drained

    def _cut(self) -> None:
        for tunnel in list(self._tunnels):
            tunnel.close("router", reset=True)

    def _look_whether_drained(self) -> None:
        drained = self._drained
        if drained is not None and not drained.called and not self._tunnels and not self._attempts:
            drained.callback(None)

    def status(self) -> dict[str, object]:
        """The addresses and their connections."""
        replicas = [{"replica": replica.name, "state": "ready", "open": replica.load} for replica in self._replicas.values()]
        return {"target": "tcp", "address": self._settings.address, "replicas": replicas}

    # -- names

    def _resolve(self) -> "Deferred[None]":
        host, port = self._name
        pool = self._reactor.getThreadPool()
        found = deferToThreadPool(self._reactor, pool, socket.getaddrinfo, host, port, 0, socket.SOCK_STREAM)
        return found.addCallbacks(self._resolved, self._not_resolved)

    def _resolved(self, found: list[tuple[object, object, object, object, tuple[str, int]]]) -> None:
        self._found([entry[4][:2] for entry in found])

    def _not_resolved(self, failure: Failure) -> None:
        if self._replicas:
            self.log.warn("{name} has no address any more: {why}", name=self._name[0], why=failure.getErrorMessage())
        self._found([])

    def _found(self, addresses: list[Address]) -> None:
        known = self._replicas
        self._replicas = {at: known.get(at) or Replica(at) for at in addresses}
        if self._replicas:
            self._service.room()

    # -- what attempts tell

    def preface_for(self, arrival: Arrival) -> bytes:
        """What is sent first."""
        if self._settings.keepalive == "close" and arrival.head is not None:
            return closing_head(arrival.preface, arrival.head)
        return arrival.preface

    def connected(self, attempt: "_Attempt", server: RawSocket, replica: Replica) -> None:
        """The replica has accepted: join the two."""
        self._attempts.discard(attempt)
        arrival = attempt.arrival
        tunnel: Tunnel

        def ended(by: str, up: int, down: int) -> None:
            self._tunnels.discard(tunnel)
            replica.load -= 1
            self._access.tunnel_ended(arrival, replica.name, by, up, down)
            self._service.room()
            self._look_whether_drained()

        tunnel = join(arrival.sock, server, self.preface_for(arrival), self._poller, self._pipes, ended)
        self._tunnels.add(tunnel)

    def failed(self, attempt: "_Attempt", answer: Answer) -> None:
        """No replica accepted."""
        self._attempts.discard(attempt)
        self._refusals.answer(attempt.arrival, answer)
        self._look_whether_drained()

    @property
    def connect_timeout(self) -> float:
        """Seconds for a replica to accept."""
        return self._settings.connect_timeout

    @property
    def poller(self) -> Poller:
        """For attempts."""
        return self._poller

    @property
    def reactor(self) -> Reactor:
        """For attempts."""
        return self._reactor


class _Attempt:
    """Connecting to one replica after the other until one accepts."""

    def __init__(self, arrival: Arrival, candidates: Iterator[Replica], target: TcpTarget) -> None:
        self.arrival, self._candidates, self._target = arrival, candidates, target
        self._timeout: IDelayedCall | None = None

    def next(self, answer: Answer) -> None:
        """Try the next replica; `answer` is what the client gets if there is none."""
        for replica in self._candidates:
            host = replica.at[0]
            sock = RawSocket(socket.AF_INET6 if ":" in host else socket.AF_INET, _connection_kind, 0)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BACKEND_RECEIVE_BUFFER)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if sock.connect_ex(replica.at) not in (0, errno.EINPROGRESS):
                sock.close()
                continue
            self._watch(sock, replica)
            return
        self._target.failed(self, answer)

    def _watch(self, sock: RawSocket, replica: Replica) -> None:
        target = self._target
        replica.load += 1
        target.poller.add(sock.fileno(), WRITE, lambda events: self._writable(sock, replica))
        self._timeout = target.reactor.callLater(target.connect_timeout, self._too_late, sock, replica)

    def _writable(self, sock: RawSocket, replica: Replica) -> None:
        self._settle(sock)
        error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            self._refused(sock, replica, os.strerror(error))
            self.next(BAD_GATEWAY)
        else:
            self._target.connected(self, sock, replica)

    def _too_late(self, sock: RawSocket, replica: Replica) -> None:
        self._settle(sock)
        self._refused(sock, replica, "no answer in time")
        self.next(GATEWAY_TIMEOUT)

    def _settle(self, sock: RawSocket) -> None:
        self._target.poller.remove(sock.fileno())
        if self._timeout is not None and self._timeout.active():
            self._timeout.cancel()

    def _refused(self, sock: RawSocket, replica: Replica, why: str) -> None:
        replica.load -= 1
        sock.close()
        self._target.log.info("{replica} does not accept: {why}", replica=replica.name, why=why)


def _is_numeric(host: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except OSError:
            continue
        return True
    return False
