"""txWS over a transport in memory, around a protocol that writes down what it gets."""

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from websocketsvc.door import DoorFactory
from websocketsvc.mounts import Mount
from websocketsvc.options import TxwsOptions
from websocketsvc.txws_factory import WebSocketFactory
from websocketsvc.txws_protocol import WebSocketProtocol

from .wire import Client

__all__ = ["Setup", "Wrapped"]


class Wrapped(Protocol):
    """Writes down what it gets; does what it is told as the first thing."""

    transport: WebSocketProtocol
    at_once: Callable[[WebSocketProtocol], None] = staticmethod(lambda transport: None)

    def connectionMade(self) -> None:
        self.got: list[object] = []
        self.lost: list[object] = []
        self.at_once(self.transport)

    def dataReceived(self, data: bytes) -> None:
        self.got.append(data)
        if data == b"fail":
            raise RuntimeError("the application is wrong")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost.append(reason)


class Wraps(Factory):
    """Keeps what it has made."""

    def __init__(self, made: list[Wrapped]) -> None:
        self.made = made

    def buildProtocol(self, addr: IAddress | None) -> Wrapped:
        made = Wrapped()
        made.factory = self
        self.made.append(made)
        return made


class Setup:
    def __init__(self, clock: Clock, **options: Any) -> None:
        self.clock = clock
        self.options = TxwsOptions(**{"ping_interval": 0, "subprotocols": "b c", **options})
        self.wrapped: list[Wrapped] = []
        self.factory = WebSocketFactory(Wraps(self.wrapped), self.options, clock)
        self.doors = DoorFactory([Mount(b"/", self.factory)], self.options, clock)

    def connect(self, **changed: str | None) -> Client:
        return Client(self.doors, self.clock).open("/", **changed)

    def __call__(self) -> tuple[Client, Wrapped]:
        client = self.connect()
        return client, self.wrapped[-1]
