"""tcp: an unmodified server somewhere. The router connects, sends what was read, and the kernel moves the rest.

A replica is an address. The name is resolved again every two seconds, whatever its DNS record says about its age: Docker's says
600 s, and a replica that was scaled away would be asked for ten minutes. A name that vanishes gets no new connections; live
ones go on. A replica that refuses or does not answer in time has consumed nothing, so the next one is tried.

HTTP is followed request by request (`split`), unless the service wants one request for each connection (`close`) or its
connections left alone (`pin`); the latter two are tunnels, which can begin with a PROXY header that names the client.

A replica that has not accepted several times in a row is passed over for a while (`core.ejection`).
"""

import socket
from collections.abc import Callable, Iterable
from functools import partial
from itertools import chain

from svckit.lease import Ownership
from svckit.reactors import Reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..accesslog import AccessLog
from ..arrival import Address, Arrival, RawSocket
from ..balancing import Balancer
from ..config import Limits, Tcp, address
from ..core.answers import Answer
from ..core.closing import closing_head
from ..core.ejection import Ejection
from ..core.termination import DATA, OPERATOR
from ..poller import Poller
from ..pump import Pipes, Tunnel, join
from ..service import Refusals, RoutedService
from .connect import Connecting, Replica
from .introduction import introduction
from .split import Split

__all__ = ["TcpTarget"]

RESOLVE_INTERVAL = 2.0
"""Seconds between two resolutions of a name."""


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
        ownership: Ownership,
        readmit: Callable[[Arrival], None],
    ) -> None:
        """`ownership` tells which requests on a kept connection are ours; `readmit` takes a connection with another."""
        self._service, self._settings, self._limits = service, settings, limits
        self._poller, self._pipes, self._reactor = poller, pipes, reactor
        self._refusals, self._access, self._ownership = refusals, access, ownership
        self._name = address(settings.address)
        self._replicas: dict[Address, Replica] = {}
        self._attempts: dict[Arrival, Connecting] = {}
        self._tunnels: set[Tunnel] = set()
        self._balancer = Balancer(settings)
        self._ejection: Ejection[Replica] = Ejection(settings.eject_after, settings.eject_time)
        self._resolver = LoopingCall(self._resolve)
        self._resolver.clock = reactor
        self._drained: Deferred[None] | None = None
        self._split = Split(
            settings,
            limits,
            ownership,
            self._candidates,
            poller,
            pipes,
            reactor,
            refusals,
            readmit,
            access,
            self._tunnel,
            self._fewer,
        )

    # -- target

    def start(self) -> None:
        """Find the addresses, now and again."""
        self._split.start()
        host, port = self._name
        if _is_numeric(host):
            self._found([(host, port)])
        else:
            self._resolver.start(RESOLVE_INTERVAL)

    def offer(self, arrival: Arrival) -> bool:
        """Serve the first request, or begin to connect, to the address with the fewest connections."""
        if not self._replicas or self._open >= self._limits.tunnels:
            return False
        if arrival.head is not None and self._settings.keepalive == "split":
            self._split.take(arrival)
            return True
        connecting = self._attempts[arrival] = Connecting(
            iter(self._candidates(arrival)),
            self._settings.connect_timeout,
            self._poller,
            self._reactor,
            partial(self._connected, arrival),
            partial(self._failed, arrival),
        )
        connecting.next()
        return True

    @property
    def _open(self) -> int:
        return len(self._split) + len(self._tunnels) + len(self._attempts)

    def _candidates(self, arrival: Arrival) -> Iterable[Replica]:
        replicas = list(self._replicas.values())
        out = self._ejection.ejected(self._reactor.seconds()) if self._ejection.until else ()
        if not out:
            return self._balancer.order(replicas, arrival)
        ready = [replica for replica in replicas if replica not in out]
        return chain(self._balancer.order(ready, arrival), tuple(out))  # rather than no answer: they may be back by then

    def tell(self, patterns: tuple[tuple[str, bool], ...]) -> None:
        """Requests on kept connections are judged by the new routes."""
        self._ownership.update(patterns)

    def heed(self, limits: Limits) -> None:
        """A target with other limits is another target."""

    def retire(self, patterns: tuple[tuple[str, bool], ...]) -> "Deferred[None]":
        """No request but the one under way is ours any more; tunnels live as long as they do."""
        self._ownership.update(())
        if self._resolver.running:
            self._resolver.stop()
        drained = self._drained = Deferred()
        drained.addCallback(lambda _: self._split.close())
        self._look_whether_drained()
        return drained

    def stop(self) -> "Deferred[None]":
        """Drain: live tunnels and exchanges have until the drain time is up."""
        self._split.drain()
        if self._resolver.running:
            self._resolver.stop()
        drained = self._drained = self._drained or Deferred()
        timer = self._reactor.callLater(self._limits.drain_time, self._cut)

        def done(_: None) -> None:
            if timer.active():
                timer.cancel()
            self._split.close()

        drained.addCallback(done)
        self._look_whether_drained()
        return drained

    def _cut(self) -> None:
        for tunnel in list(self._tunnels):
            tunnel.close(OPERATOR + DATA, reset=True)
        self._split.cut()

    def _look_whether_drained(self) -> None:
        drained = self._drained
        if drained is not None and not drained.called and not self._open:
            drained.callback(None)

    def status(self) -> dict[str, object]:
        """The addresses and their connections."""
        out = self._ejection.ejected(self._reactor.seconds())
        replicas = [
            {"replica": replica.name, "state": "ejected" if replica in out else "ready", "open": replica.load}
            for replica in self._replicas.values()
        ]
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
        self._replicas = {at: known.get(at) or Replica(at, self._ejection) for at in addresses}
        self._ejection.belong(self._replicas.values())
        if self._replicas:
            self._service.room()

    # -- tunnels

    def _connected(self, arrival: Arrival, server: RawSocket, replica: Replica) -> None:
        """The replica has accepted: join the two."""
        del self._attempts[arrival]
        preface = arrival.preface
        if self._settings.keepalive == "close" and arrival.head is not None:
            preface = closing_head(preface, arrival.head)
        self._tunnel(arrival, server, replica, introduction(arrival, self._settings.proxy) + preface, b"", 0, 0)

    def _failed(self, arrival: Arrival, answer: Answer) -> None:
        """No replica accepted."""
        del self._attempts[arrival]
        self._refusals.answer(arrival, answer)
        self._reactor.callLater(0, self._service.room)  # not at once: the next one may fail the same way, and the next
        self._look_whether_drained()

    def _tunnel(
        self, arrival: Arrival, server: RawSocket, replica: Replica, preface: bytes, reply: bytes, up: int, down: int
    ) -> None:
        """Join the two; `up` and `down` are the bytes that went through before."""
        tunnel: Tunnel

        def ended(how: str, more_up: int, more_down: int) -> None:
            self._tunnels.discard(tunnel)
            replica.load -= 1
            self._access.tunnel_ended(arrival, replica.name, how, up + more_up, down + more_down)
            self._fewer()

        tunnel = join(arrival.sock, server, preface, self._poller, self._pipes, ended, reply)
        self._tunnels.add(tunnel)

    def _fewer(self) -> None:
        self._service.room()
        self._look_whether_drained()


def _is_numeric(host: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except OSError:
            continue
        return True
    return False
