"""tcp: an unmodified server somewhere. The router connects, sends what was read, and the kernel moves the rest.

A replica is an address. While the service is wanted its name is resolved again every two seconds (`lookup`). A name that
vanishes gets no new connections; live ones go on. A replica that refuses or does not answer in time has consumed nothing, so
the next one is tried.

HTTP is followed request by request (`split`), unless the service wants one request for each connection (`close`) or its
connections left alone (`pin`); the latter two are tunnels, which can begin with a PROXY header that names the client.

Which replicas get new connections is the affair of `replicas`, and the end that of `tcpending`.
"""

from collections.abc import Callable, Collection
from functools import partial

from svckit.lease import Ownership
from svckit.reactors import Reactor
from twisted.logger import Logger

from ..accesslog import AccessLog
from ..arrival import Address, Arrival, RawSocket
from ..config import Limits, Tcp, address
from ..core.answers import NO_RESOURCE, Answer
from ..core.closing import closing_head
from ..pipes import Pipes
from ..poller import Poller
from ..probes import probe
from ..service import Refusals, RoutedService
from .connect import Connecting, Replica
from .exits import Outside
from .introduction import introduction
from .lookup import Lookup, is_numeric
from .replicas import Replicas
from .resolver import Resolver
from .split import Split
from .tcpending import TcpEnding
from .tunnels import Tunnels

__all__ = ["TcpTarget"]


class TcpTarget(TcpEnding):
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
        resolver: Resolver,
    ) -> None:
        """`ownership` tells which requests on a kept connection are ours; `readmit` takes a connection with another."""
        super().__init__(service, limits, reactor, refusals, ownership)
        self._settings, self._poller = settings, poller
        self._name = name = address(settings.address)
        self.replicas = Replicas(settings, poller, reactor, service.room)
        self._lookup = None if is_numeric(name[0]) else Lookup(name, resolver, reactor, self._is_in_use, self._found)
        self._missed = False
        self._tunnels = Tunnels(settings, poller, pipes, reactor, access, self._fewer)
        outside = Outside(reactor, refusals, access, self._wait, readmit, self._tunnel, self._fewer)
        self._split = Split(settings, limits, ownership, self.replicas, poller, pipes, outside)

    # -- target

    def start(self) -> None:
        """Be ready for connections. A name is asked for when one comes, or at once where its addresses are to be checked."""
        self._split.start()
        self._tunnels.start()
        if self._lookup is None:
            self.replicas.found([self._name])
        elif self._settings.check is not None:
            self._lookup.want()

    def offer(self, arrival: Arrival) -> bool:
        """Serve the first request, or begin to connect, to the address with the fewest connections."""
        if self._lookup is not None and not self._lookup.want():
            return False
        if not self.replicas.has_room or self._open >= self._limits.tunnels or self._is_cut:
            return False
        if arrival.head is not None and self._settings.keepalive == "split":
            self._split.take(arrival)
            return True
        connecting = self._attempts[arrival] = Connecting(
            iter(self.replicas.order(arrival)),
            self._settings.connect_timeout,
            self._poller,
            self._reactor,
            partial(self._connected, arrival),
            partial(self._failed, arrival),
        )
        connecting.next()
        return True

    def tell(self, patterns: tuple[tuple[str, bool], ...]) -> None:
        """Requests on kept connections are judged by the new routes."""
        self._ownership.update(patterns)

    def heed(self, limits: Limits) -> None:
        """A target with other limits is another target."""

    def status(self) -> dict[str, object]:
        """The addresses and their connections; without any, whether that is because the name is not asked for."""
        replicas = self.replicas.status(self._is_resting)
        return {"target": "tcp", "address": self._settings.address, "state": self._state, "replicas": replicas}

    @property
    def _state(self) -> str:
        lookup = self._lookup
        if lookup is not None and not lookup.fresh:
            return "looking up" if lookup.asking else "resting"
        return "" if self.replicas.any else "no address"

    @property
    def _is_resting(self) -> bool:
        return self._lookup is not None and not self._lookup.fresh

    def drain(self, replica: str, drained: bool) -> None:
        """Its idle connections are closed, so kept clients go to others with their next request; tunnels stay.

        Raises:
            NotThere: there is none of this name.
        """
        for named in self.replicas.drain(replica, drained, certain=not self._is_resting):
            if drained:
                self._split.pool.close_those_to(named)

    @property
    def drained(self) -> Collection[str]:
        """By name."""
        return self.replicas.drained

    def inherit(self, drained: Collection[str]) -> None:
        """Those that have the same addresses here."""
        self.replicas.inherit(drained)

    # -- names

    def _is_in_use(self) -> bool:
        return self._settings.check is not None or self._open > 0 or self._service.queued > 0

    def _found(self, addresses: list[Address], why: str) -> None:
        if not addresses and not self._missed:
            self.log.warn("{service}: {name} has no address: {why}", service=self._service.name, name=self._name[0], why=why)
        self._missed = not addresses
        self.replicas.found(addresses)

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
        untried = self.replicas.untried(self._attempts.pop(arrival).tried)
        if untried and answer is not NO_RESOURCE:
            self._wait(arrival, untried)
            return
        self._refusals.answer(arrival, answer)
        self._reactor.callLater(0, self._service.room)  # not at once: the next one may fail the same way, and the next
        self._look_whether_drained()

    def _wait(self, arrival: Arrival, untried: Collection[Replica]) -> None:
        """Those that had room do not accept; `untried` were full. Not before one of them has room, else it would go on so."""
        self._service.wait(arrival)
        if any(replica.has_room for replica in untried):
            self._reactor.callLater(0, self._service.room)
        self._look_whether_drained()

    def _tunnel(
        self, arrival: Arrival, server: RawSocket, replica: Replica, preface: bytes, reply: bytes, up: int, down: int
    ) -> None:
        """Join the two; `up` and `down` are the bytes that went through before."""
        probe(server, self._limits.probe_after)
        self._tunnels.join(arrival, server, replica, preface, reply, up, down)
