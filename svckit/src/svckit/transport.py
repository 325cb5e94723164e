"""A connection that came as a socket instead of from a listening port: adopt it, replay its preface, let go of it again.

`AdoptedServer` is Twisted's own TCP transport, with two things added.

*Replay.* The preface (what the router has read) is delivered as if it had just arrived. A protocol that pauses its transport
while it is connected gets it when it resumes.

*Release.* Twisted's teardown calls shutdown(2), which acts on the connection and not on the descriptor: it would cut
whoever holds the socket next. `release` takes the descriptor out of the reactor, once all that was written is out, and
leaves the connection untouched. The protocol is told `connectionLost(HandedBack)`.
"""

import socket
from collections.abc import Callable
from typing import Any

from twisted.internet import error, main, tcp
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IProtocol, IProtocolFactory
from twisted.logger import Logger
from twisted.python.failure import Failure

from .lease import ILeased, Lease
from .reactors import Reactor

__all__ = ["AdoptedServer", "HandedBack", "address_of", "adopt"]

log = Logger()


class HandedBack(error.ConnectionDone):
    """The connection left this protocol and lives on elsewhere."""


def address_of(host: str, port: int) -> IPv4Address | IPv6Address:
    """The Twisted address of a TCP peer."""
    return IPv6Address("TCP", host, port) if ":" in host else IPv4Address("TCP", host, port)


class AdoptedServer(tcp.Server):
    """The transport of a connection that was accepted elsewhere."""

    _released = False
    _when_flushed: Callable[[socket.socket], None] | None = None
    reactor: Reactor
    _unplayed = b""
    _reading = False

    def __init__(
        self,
        sock: socket.socket,
        protocol: IProtocol,
        peer: IPv4Address | IPv6Address,
        reactor: Reactor,
        on_lost: Callable[["AdoptedServer"], None],
        host: IPv4Address | IPv6Address | None = None,
        secure: bool = False,
    ) -> None:
        """`host` is where the client connected to, where the socket cannot tell; `secure`: TLS has ended before the socket."""
        self._host, self.secure = host, secure
        self._is_tcp = sock.family != socket.AF_UNIX
        self.repstr = f"<AdoptedServer from {peer.host}:{peer.port}>"
        self._peer = peer
        self._on_lost = on_lost
        # Twisted tells IPv6 by the length of the client tuple.
        client = (peer.host, peer.port) if isinstance(peer, IPv4Address) else (peer.host, peer.port, 0, 0)
        super().__init__(sock, protocol, client, None, 0, reactor)  # type: ignore[arg-type]

    def getPeer(self) -> IPv4Address | IPv6Address:
        """The client, which a PROXY header may have named instead of the socket."""
        return self._peer

    def getHost(self) -> IPv4Address | IPv6Address:
        """Where the client connected to."""
        return self._host or super().getHost()

    def setTcpNoDelay(self, enabled: bool) -> None:
        if self._is_tcp:  # the plain side of a TLS connection is a socket pair
            super().setTcpNoDelay(enabled)

    def setTcpKeepAlive(self, enabled: bool) -> None:
        if self._is_tcp:
            super().setTcpKeepAlive(enabled)

    # -- replay

    def replay(self, preface: bytes) -> None:
        """Deliver `preface` to the protocol before anything from the socket."""
        if not self.connected or not preface:
            return
        if not self._reading:
            self._unplayed = preface
            return
        try:
            failed = self._dataReceived(preface)
        except Exception:
            log.failure("the protocol failed on its first bytes")
            self.connectionLost(Failure())
        else:
            if failed is not None:
                self.connectionLost(Failure(failed))

    def resumeProducing(self) -> None:
        super().resumeProducing()
        if self._unplayed:
            self.reactor.callLater(0, self._play)

    def doRead(self) -> Any:
        if self._unplayed:  # resumed, and the socket was quicker than the timed call
            return self._play()
        return super().doRead()

    def _play(self) -> None:
        preface, self._unplayed = self._unplayed, b""
        self.replay(preface)

    # -- release

    def release(self, then: Callable[[socket.socket], None]) -> None:
        """Let go of the socket as soon as the write buffer is empty, and give it to `then`.

        If the connection ends before that, `then` is never called.
        """
        if not self.connected or self._when_flushed is not None:
            return
        self._when_flushed = then
        self.stopReading()
        if not self.dataBuffer and not self._tempDataBuffer:
            self.reactor.callLater(0, self._let_go)  # the caller may stand deep inside the protocol's parser

    def doWrite(self) -> Any:
        result = super().doWrite()
        if result is None and self._when_flushed is not None and not self.dataBuffer and not self._tempDataBuffer:
            self._let_go()
        return result

    def startReading(self) -> None:
        if self._when_flushed is None:  # what arrives now belongs to whoever is next
            self._reading = True
            super().startReading()

    def stopReading(self) -> None:
        self._reading = False
        super().stopReading()

    def _let_go(self) -> None:
        if not self.connected or self._when_flushed is None:
            return
        then, sock = self._when_flushed, self.socket
        self._released = True
        self.connectionLost(Failure(HandedBack()))
        then(sock)
        self._on_lost(self)  # last: somebody counts connections, and this one was here or on its way without a gap

    def _closeSocket(self, orderly: bool) -> None:
        if not self._released:
            super()._closeSocket(orderly)

    def connectionLost(self, reason: Failure) -> None:
        known = hasattr(self, "socket")
        try:
            super().connectionLost(reason)
        finally:  # the protocol's own connectionLost may fail
            if known and not self._released:
                self._on_lost(self)


def adopt(
    sock: socket.socket,
    factory: IProtocolFactory,
    peer: IPv4Address | IPv6Address,
    preface: bytes,
    reactor: Reactor,
    make_lease: Callable[[Callable[[], AdoptedServer]], Lease],
    on_lost: Callable[[AdoptedServer], None],
    on_made: Callable[[AdoptedServer], None],
    *,
    host: IPv4Address | IPv6Address | None = None,
    secure: bool = False,
) -> AdoptedServer | None:
    """Make `factory`'s protocol the owner of a connected socket and replay the preface to it.

    `on_made` is told of the transport before the protocol can do anything with it, `on_lost` when it has let go of the socket.
    Returns the transport, or None where the factory declined or failed (the socket is then closed).
    """
    try:
        protocol = factory.buildProtocol(peer)
    except Exception:
        log.failure("the factory failed to make a protocol")
        protocol = None
    if protocol is None:
        sock.close()
        return None
    transport: AdoptedServer
    if ILeased.providedBy(protocol):
        protocol.lease = make_lease(lambda: transport)
    transport = AdoptedServer(sock, protocol, peer, reactor, on_lost, host, secure)
    on_made(transport)
    try:
        protocol.makeConnection(transport)
    except Exception:
        log.failure("the protocol failed when it was connected")
        transport.connectionLost(Failure(main.CONNECTION_LOST))
        return transport
    transport.replay(preface)
    return transport
