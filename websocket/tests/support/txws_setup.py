"""txWS over a transport in memory, around a protocol that writes down what it gets."""

from twisted.internet.protocol import Factory, Protocol
from websocketsvc.door import DoorFactory
from websocketsvc.mounts import Mount
from websocketsvc.options import TxwsOptions
from websocketsvc.txws_factory import WebSocketFactory

__all__ = ["Setup", "Wrapped"]


class Wrapped(Protocol):
    """Writes down what it gets; does what it is told as the first thing."""

    at_once = staticmethod(lambda transport: None)

    def connectionMade(self) -> None:
        self.got: list[object] = []
        self.lost: list[object] = []
        self.at_once(self.transport)

    def dataReceived(self, data) -> None:
        self.got.append(data)
        if data == b"fail":
            raise RuntimeError("the application is wrong")

    def connectionLost(self, reason) -> None:
        self.lost.append(reason)


class Setup:
    def __init__(self, tools, clock, **options) -> None:
        self.tools, self.clock = tools, clock
        self.options = TxwsOptions(**{"ping_interval": 0, "subprotocols": "b c", **options})
        self.wrapped: list[Wrapped] = []
        factory = Factory.forProtocol(Wrapped)
        build = factory.buildProtocol
        factory.buildProtocol = lambda addr: self.wrapped.append(build(addr)) or self.wrapped[-1]
        self.factory = WebSocketFactory(factory, self.options, clock)
        self.doors = DoorFactory([Mount(b"/", self.factory)], self.options, clock)

    def connect(self, **changed):
        return self.tools.Client(self.doors, self.clock).open("/", **changed)

    def __call__(self):
        client = self.connect()
        return client, self.wrapped[-1]
