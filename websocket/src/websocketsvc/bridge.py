"""The bridge behind /ws/tcp/NAME: a WebSocket's bytes to a TCP service and back, as websockify does. Off by default.

Only names that the option `tcp` lists lead anywhere, so nobody chooses an address. While one side does not read, the other is
not read from.
When the server ends its connection, the WebSocket is closed with 1000; where it cannot be reached, with 1014 (Bad Gateway).
"""

from typing import Any

from msgspec import Struct
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import (
    HostnameEndpoint,
    TCP4ClientEndpoint,
    TCP6ClientEndpoint,
    UNIXClientEndpoint,
)
from twisted.internet.interfaces import IDelayedCall, IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from . import codes
from .mounts import Place
from .options import Seconds

__all__ = ["Bridge", "BridgeFactory", "address_of"]

log = Logger()
"""Nothing of what goes through is logged."""


class Server(Protocol):
    """The connection to the server."""

    def __init__(self, bridge: "Bridge") -> None:
        self._bridge = bridge

    def dataReceived(self, data: bytes) -> None:
        self._bridge.transport.write(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._bridge.server_gone()


class _ServerFactory(Factory):
    noisy = False

    def __init__(self, bridge: "Bridge") -> None:
        self._bridge = bridge

    def buildProtocol(self, addr: object) -> Server:
        return Server(self._bridge)


class Bridge(Protocol):
    """The browser's side; nothing is read from it before the server is there."""

    factory: "BridgeFactory"
    transport: Any
    _server: Server | None = None
    _connecting: "Deferred[Any] | None" = None
    _gone = False
    _late: IDelayedCall | None = None

    def begun(self) -> None:
        """The WebSocket is open."""
        endpoint = self.factory.endpoint(self.transport.handshake.request.path.rpartition(b"/")[2].decode("ascii"))
        self.transport.pauseProducing()
        self._connecting = endpoint.connect(_ServerFactory(self))
        self._connecting.addCallbacks(self._connected, self._unreachable)

    def _connected(self, server: Server) -> None:
        assert server.transport is not None
        if self._gone:
            server.transport.abortConnection()  # type: ignore[attr-defined]
            return
        self._server = server
        server.transport.registerProducer(self.transport, True)  # type: ignore[attr-defined]
        self.transport.registerProducer(server.transport, True)
        self.transport.resumeProducing()

    def _unreachable(self, failure: Failure) -> None:
        if not self._gone:
            log.warn("a server behind the bridge cannot be reached: {why}", why=failure.getErrorMessage())
            self.transport.close("the server cannot be reached", codes.BAD_GATEWAY)

    def dataReceived(self, data: bytes) -> None:
        assert self._server is not None, "nothing is read before that"
        assert self._server.transport is not None
        self._server.transport.write(data)

    def server_gone(self) -> None:
        """The server has ended its connection: what it said last goes out, then the Close."""
        self._server = None
        if self._late is not None and self._late.active():
            self._late.cancel()
        if not self._gone:
            self.transport.unregisterProducer()
            self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._gone = True
        if self._server is None:
            if self._connecting is not None:
                self._connecting.cancel()
        else:
            assert self._server.transport is not None
            self._server.transport.unregisterProducer()  # type: ignore[attr-defined]
            self._server.transport.loseConnection()
            # It has yet to read what the client said last, and may never do so.
            self._late = self.factory.call_later(self.factory.patience, self._server.transport.abortConnection)  # type: ignore[attr-defined]


class BridgeOptions(Struct, forbid_unknown_fields=True, frozen=True):
    """The mount's options."""

    servers: dict[str, str]
    """`HOST:PORT`, `[ADDRESS]:PORT` or `unix:PATH` by name."""
    connect_timeout: Seconds = 5.0
    """Seconds for a server to accept; then 1014."""


class BridgeFactory(Factory):
    """The bridge to a list of servers."""

    protocol = Bridge  # type: ignore[assignment] # as any factory has it
    noisy = False
    own_pages_only = True
    """What a server lets this host do, a stranger's page in a user's browser may not do: `*` in `origins` is the site's own."""

    def __init__(self, servers: dict[str, str], timeout: float, patience: float, reactor: Any) -> None:
        """`timeout`: seconds for a server to accept; `patience`: to read what a client that has left said last, then it is cut.

        Raises:
            TypeError: an address is malformed.
        """
        self.patience, self.call_later = patience, reactor.callLater
        self._endpoints = {name: address_of(where, timeout, reactor) for name, where in servers.items()}

    @classmethod
    def for_mount(cls, place: Place) -> "BridgeFactory":
        """With the mount's options."""
        options = place.options_as(BridgeOptions)
        return cls(options.servers, options.connect_timeout, place.limits.stall_timeout, place.reactor)

    def judge_name(self, name: str) -> str | None:
        """What is wrong with a name; the list is not told."""
        return None if name in self._endpoints else "No server of that name is to be reached here."

    def endpoint(self, name: str) -> IStreamClientEndpoint:
        """Where a server of the list is."""
        return self._endpoints[name]


def address_of(where: str, timeout: float, reactor: Any) -> IStreamClientEndpoint:
    """The endpoint for `HOST:PORT`, `[ADDRESS]:PORT` or `unix:PATH`.

    Raises:
        TypeError: it is none of them.
    """
    if where.startswith("unix:/"):
        return UNIXClientEndpoint(reactor, where.removeprefix("unix:"), timeout=timeout)
    host, colon, port = where.rpartition(":")
    if not colon or not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise TypeError(f"{where!r}: expected HOST:PORT, [ADDRESS]:PORT or unix:PATH")
    if host.startswith("[") and host.endswith("]"):
        return TCP6ClientEndpoint(reactor, host[1:-1], int(port), timeout=timeout)
    if ":" in host:
        raise TypeError(f"{where!r}: expected [ADDRESS]:PORT for an IPv6 address")
    if host.replace(".", "").isdigit():
        return TCP4ClientEndpoint(reactor, host, int(port), timeout=timeout)
    return HostnameEndpoint(reactor, host, int(port), timeout=timeout)
