"""tcp: an unmodified server somewhere. The router connects, sends what was read, and the kernel moves the rest.

A replica is an address. While the service is wanted its name is resolved again every two seconds (`lookup`). A name that
vanishes gets no new connections; live ones go on. A replica that refuses or does not answer in time has consumed nothing, so
the next one is tried.

HTTP is followed request by request (`split`), unless the service wants one request for each connection (`close`) or its
connections left alone (`pin`); the latter two are tunnels, which can begin with a PROXY header that names the client.

Which replicas get new connections is the affair of `replicas`.
"""

import socket
from collections.abc import Callable, Collection
from functools import partial

from svckit.lease import Ownership
from svckit.reactors import Reactor
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ..accesslog import AccessLog
from ..arrival import Address, Arrival, RawSocket
from ..config import Limits, Tcp, address
from ..core.answers import NO_RESOURCE, QUEUE_DRAINED, Answer
from ..core.closing import closing_head
from ..core.termination import CONNECT, OPERATOR
from ..pipes import Pipes
from ..poller import Poller
from ..probes import probe
from ..service import Refusals, RoutedService
from .connect import Connecting, Replica
from .introduction import introduction
from .lookup import Lookup
from .replicas import Replicas
from .resolver import Resolver
from .split import Split
from .tunnels import Tunnels

__all__ = ["TcpTarget"]

GOING_DOWN = QUEUE_DRAINED._replace(ended=OPERATOR + CONNECT)
"""For those whose connection to the server is not made when the drain time is up."""


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
        resolver: Resolver,
    ) -> None:
        """`ownership` tells which requests on a kept connection are ours; `readmit` takes a connection with another."""
        self._service, self._settings, self._limits = service, settings, limits
        self._poller, self._pipes, self._reactor = poller, pipes, reactor
        self._refusals, self._access, self._ownership = refusals, access, ownership
        self._name = name = address(settings.address)
        self.replicas = Replicas(settings, poller, reactor, service.room)
        self._lookup = None if _is_numeric(name[0]) else Lookup(name, resolver, reactor, self._is_in_use, self._found)
        self._missed = False
        self._attempts: dict[Arrival, Connecting] = {}
        self._tunnels = Tunnels(settings, poller, pipes, reactor, access, self._fewer)
        self._drained: Deferred[None] | None = None
        self._drains_until: float | None = None
        self._is_cut = False
        self._successor: TcpTarget | None = None
        self._split = Split(
            settings,
            limits,
            ownership,
            self.replicas,
            self._wait,
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

    @property
    def _open(self) -> int:
        return len(self._split) + len(self._tunnels) + len(self._attempts)

    def tell(self, patterns: tuple[tuple[str, bool], ...]) -> None:
        """Requests on kept connections are judged by the new routes."""
        self._ownership.update(patterns)

    def heed(self, limits: Limits) -> None:
        """A target with other limits is another target."""

    def retire(self, patterns: tuple[tuple[str, bool], ...]) -> "Deferred[None]":
        """No request but the one under way is ours any more; tunnels live as long as they do."""
        self._ownership.update(())
        self._split.keep_none()
        self._look_no_more()
        drained = self._drained = Deferred()
        drained.addCallback(lambda _: self._close())
        self._look_whether_drained()
        return drained

    def stop(self) -> "Deferred[None]":
        """Drain: live tunnels and exchanges have until the drain time is up. Once more: for those that have come since."""
        now = self._reactor.seconds()
        if self._drains_until is None:
            self._drains_until = now + self._limits.drain_time
            self._split.drain()
            self._look_no_more()
        if self._drained is None or self._drained.called:
            self._drained = Deferred()
        drained = self._drained
        timer = self._reactor.callLater(max(0.0, self._drains_until - now), self._cut)

        def done(_: None) -> None:
            if timer.active():
                timer.cancel()
            self._close()

        drained.addCallback(done)
        self._look_whether_drained()
        return drained

    def close(self) -> None:
        """After `stop`: take nothing more, as the router is gone in a moment."""
        self._cut()

    @property
    def is_empty(self) -> bool:
        """Whether nothing is under way."""
        return not self._open

    def _look_no_more(self) -> None:
        self.replicas.stop()
        if self._lookup is not None:
            self._lookup.stop()

    def _close(self) -> None:
        self._tunnels.stop()
        self._split.close()

    def _cut(self) -> None:
        self._is_cut = True  # the places of those that go are for nobody
        for arrival, connecting in list(self._attempts.items()):
            connecting.cancel()  # it would become a tunnel that nobody ends
            del self._attempts[arrival]
            self._refusals.answer(arrival, GOING_DOWN)
        self._tunnels.cut(OPERATOR)
        self._split.cut()
        self._look_whether_drained()

    def _look_whether_drained(self) -> None:
        drained = self._drained
        if drained is not None and not drained.called and self.is_empty:
            drained.callback(None)

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

    def succeed(self, before: "TcpTarget") -> None:
        """Before the start: what `before`, whose place this one takes, has under way counts here too, until it ends."""
        self.replicas.succeed(before.replicas)
        before._successor = self

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

    def _fewer(self) -> None:
        self._service.room()
        newest = self._newest
        if newest is not self:
            self._successor = newest  # those between need not be kept
            newest._service.room()
        self._look_whether_drained()

    @property
    def _newest(self) -> "TcpTarget":
        """The last of those that have followed this one; there may have been many reloads."""
        newest = self
        while newest._successor is not None:
            newest = newest._successor
        return newest


def _is_numeric(host: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except OSError:
            continue
        return True
    return False
