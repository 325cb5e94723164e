"""txWS around a stream factory: its protocols are conversations behind a door."""

import txws
from twisted.internet.interfaces import IAddress, IProtocolFactory, IReactorTime

from .options import Limits
from .txws_protocol import WebSocketProtocol

__all__ = ["WebSocketFactory"]


class WebSocketFactory(txws.WebSocketFactory):
    """Wraps a stream factory; its protocols are conversations behind a door."""

    protocol = WebSocketProtocol
    noisy = False

    def __init__(self, wrapped: IProtocolFactory, limits: Limits, clock: IReactorTime) -> None:
        super().__init__(wrapped)
        self.limits, self.clock = limits, clock
        self.subprotocols = frozenset(limits.subprotocols.split())

    def buildProtocol(self, addr: IAddress) -> WebSocketProtocol | None:
        wrapped = self.wrappedFactory.buildProtocol(addr)
        return None if wrapped is None else self.protocol(self, wrapped)
