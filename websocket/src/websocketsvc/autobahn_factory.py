"""Makes the hardened conversations of one mount."""

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from twisted.internet.interfaces import IAddress, IReactorTime

from .autobahn_parts import Timers
from .autobahn_protocol import Hardened, harden
from .deflate import accept
from .options import Limits

__all__ = ["HardenedFactory"]


def _call(protocol: type, name: str) -> None:
    found = getattr(protocol, name, None)
    if found is not None:
        found()


class HardenedFactory(WebSocketServerFactory):
    """Makes the conversations of one mount."""

    noisy = False
    reactor: IReactorTime

    def __init__(
        self, protocol: type[WebSocketServerProtocol], limits: Limits, reactor: IReactorTime, compression: bool | None = None
    ) -> None:
        """`compression`: whether permessage-deflate is agreed to; None: as `limits` has it, where it has such a field."""
        super().__init__(server="", reactor=reactor)
        self.subprotocols = frozenset(limits.subprotocols.split())
        if compression is None:
            compression = getattr(limits, "compression", False)
        self.compression = compression
        self._batched_timer = Timers(reactor)
        self.limits = limits
        self.protocol = self._made = harden(protocol)
        # What the door has judged already stays open here: origins, and the number of connections.
        self.setProtocolOptions(
            versions=[13],
            webStatus=False,
            failByDrop=False,
            echoCloseCodeReason=True,
            maxMessagePayloadSize=limits.max_message,
            openHandshakeTimeout=limits.handshake_timeout,
            closeHandshakeTimeout=limits.close_timeout,
            autoPingInterval=limits.ping_interval,
            autoPingTimeout=limits.ping_interval,
            allowedOrigins=["*"],
            allowNullOrigin=True,
            serveFlashSocketPolicy=False,
            trustXForwardedFor=0,
            **({"perMessageCompressionAccept": accept} if compression else {}),
        )

    def startFactory(self) -> None:
        super().startFactory()
        _call(self.protocol, "mount_started")

    def stopFactory(self) -> None:
        _call(self.protocol, "mount_stopped")
        super().stopFactory()

    def buildProtocol(self, addr: IAddress | None) -> Hardened:  # type: ignore[override] # Hardened narrows `factory`
        protocol = self._made()
        protocol.factory = self
        return protocol
