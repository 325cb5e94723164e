"""In-process: the protocol of a factory takes over the very same socket, and the preface is replayed to it."""

import socket
from collections.abc import Callable, Collection
from typing import cast

from svckit.lease import Ownership
from svckit.live import LiveConnections
from svckit.reactors import Reactor
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocolFactory

from ..accesslog import AccessLog
from ..arrival import Arrival, RawSocket
from ..config import Limits
from ..draining import NotThere, Undrainable
from ..measures import THIS_PROCESS

__all__ = ["InProcessTarget"]


class InProcessTarget:
    """A service that runs in the router's own process: one replica, always there."""

    def __init__(
        self,
        factory: IProtocolFactory,
        ownership: Ownership,
        reactor: Reactor,
        readmit: Callable[[Arrival], None],
        access: AccessLog,
        drain_time: float,
    ) -> None:
        """`readmit` takes a connection that the service hands back."""
        self._factory, self._reactor, self._ownership = factory, reactor, ownership
        self._readmit, self._access = readmit, access
        self._live = LiveConnections(factory, ownership, reactor, drain_time, self._fewer)
        self._drained: Deferred[None] | None = None

    def start(self) -> None:
        """Tell the factory that it begins."""
        self._factory.doStart()

    def offer(self, arrival: Arrival) -> bool:
        """Always takes: what a service in this process cannot serve now, nobody can."""
        self._access.put_through(arrival, "in process", None)
        client, listener, facts = arrival.client, arrival.listener, arrival.tls_facts

        def back(sock: socket.socket, unread: bytes) -> None:
            returned = Arrival(cast(RawSocket, sock), client, listener, self._reactor.seconds(), unread, returned=True)
            returned.tls_facts = facts
            self._readmit(returned)

        self._live.take(arrival.as_socket(), client, arrival.preface, back, listener, arrival.tls)
        return True

    def tell(self, patterns: tuple[tuple[str, bool], ...]) -> None:
        """The service's guard sees new routes."""
        self._ownership.update(patterns)

    def heed(self, limits: Limits) -> None:
        """The drain time."""
        self._live.drain_time = limits.drain_time

    def retire(self, patterns: tuple[tuple[str, bool], ...]) -> "Deferred[None]":
        """No request but the one under way is ours any more."""
        self._ownership.update(())
        return self._until_empty()

    def stop(self) -> "Deferred[None]":
        """Drain."""
        self._live.drain()
        return self._until_empty()

    def _until_empty(self) -> "Deferred[None]":
        drained = self._drained
        if drained is None:
            drained = self._drained = Deferred()
            drained.addCallback(lambda _: self._factory.doStop())
        self._fewer()
        return drained

    def _fewer(self) -> None:
        if self._drained is not None and not self._live:
            drained, self._drained = self._drained, None
            drained.callback(None)

    def drain(self, replica: str, drained: bool) -> None:
        """Never: there is nobody else.

        Raises:
            NotThere, Undrainable: always one of them.
        """
        if replica != THIS_PROCESS:
            raise NotThere(f"has no replica {replica}")
        raise Undrainable("runs in the router's process: there is no other replica to go to")

    drained: Collection[str] = ()

    def inherit(self, drained: Collection[str]) -> None:
        """None of them is here."""

    def status(self) -> dict[str, object]:
        """One replica: this process."""
        return {"target": "in-process", "replicas": [{"replica": THIS_PROCESS, "open": len(self._live)}]}
