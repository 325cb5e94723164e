"""The connections that a service has open, however they came: adopted one by one, drained together."""

import socket
from collections.abc import Callable

from twisted.internet.interfaces import IProtocolFactory
from twisted.logger import Logger

from .handoff.codec import Tls
from .lease import HandBack, IDrainable, Lease, Ownership
from .reactors import Reactor
from .transport import AdoptedServer, address_of, adopt

__all__ = ["GOODBYE_TIME", "LiveConnections"]

GOODBYE_TIME = 3.0
"""Seconds between the goodbye at the end of the drain time and the abort."""

Back = Callable[[socket.socket, bytes], None]
"""Takes the socket of a connection that the service gives back, and what it had read of it."""


class LiveConnections:
    """Adopts connections for one factory.

    Drain: each protocol that can (`IDrainable`) ends or hands back its connection as soon as what is under way is done; when
    the drain time is up the rest says goodbye (`expire`); what is left after that is aborted.
    """

    log = Logger()

    def __init__(
        self,
        factory: IProtocolFactory,
        ownership: Ownership,
        reactor: Reactor,
        drain_time: float,
        fewer: Callable[[], None],
    ) -> None:
        """`drain_time` is in seconds; `fewer` is called whenever a connection has gone."""
        self._factory, self._ownership, self._reactor = factory, ownership, reactor
        self.drain_time, self._fewer = drain_time, fewer
        self._open: set[AdoptedServer] = set()
        self.draining = self._time_is_up = False

    def __len__(self) -> int:
        return len(self._open)

    def take(
        self,
        sock: socket.socket,
        client: tuple[str, int],
        preface: bytes,
        back: Back,
        listener: tuple[str, int] | None = None,
        tls: Tls | None = None,
    ) -> None:
        """Make the factory's protocol the owner of the connection; it may give it to `back` later.

        `listener` is where the client connected to, `tls` is there where the router has ended TLS on the way.
        """

        def lease_for(transport: Callable[[], AdoptedServer]) -> Lease:
            hand_back: HandBack = lambda unread: transport().release(lambda sock: back(sock, unread))  # noqa: E731
            return Lease(self._ownership, hand_back)

        peer = address_of(*client)
        host = None if listener is None else address_of(*listener)
        transport = adopt(
            sock,
            self._factory,
            peer,
            preface,
            self._reactor,
            lease_for,
            self._lost,
            self._open.add,
            host=host,
            secure=tls is not None,
        )
        if transport is not None and transport.connected and self.draining:
            self._drain(transport)
            if self._time_is_up:
                self._reactor.callLater(GOODBYE_TIME, self._expire)

    def _lost(self, transport: AdoptedServer) -> None:
        self._open.discard(transport)
        self._fewer()

    def drain(self) -> None:
        """Begin to drain; those that are still taken are drained too, after their first request."""
        self.draining = True
        if self._open:
            self.log.info("draining {count} connections", count=len(self._open))
        for transport in list(self._open):
            self._drain(transport)
        self._reactor.callLater(self.drain_time, self._expire)

    def _drain(self, transport: AdoptedServer) -> None:
        if IDrainable.providedBy(transport.protocol):
            try:
                transport.protocol.drain()
            except Exception:
                self.log.failure("a protocol failed to drain")  # it has the drain time, as others have

    def _expire(self) -> None:
        self._time_is_up = True
        if not self._open:
            return
        self.log.info("the drain time is up, {count} connections are open", count=len(self._open))
        for transport in list(self._open):
            if not IDrainable.providedBy(transport.protocol):
                transport.loseConnection()
                continue
            try:
                transport.protocol.expire()
            except Exception:
                self.log.failure("a protocol failed to say goodbye")
        self._reactor.callLater(GOODBYE_TIME, self._abort)

    def _abort(self) -> None:
        for transport in list(self._open):
            transport.abortConnection()
