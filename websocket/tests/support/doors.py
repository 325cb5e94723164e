"""Behind a door: conversations that write down what they are told, and when they are said goodbye to."""

from collections.abc import Callable
from dataclasses import replace

from twisted.internet.interfaces import IAddress, ITransport
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from websocketsvc.conversation import Ending
from websocketsvc.handshake import Handshake

from .wire import Client, opening


class Scribe:
    def __init__(self) -> None:
        self.said: list[object] = []
        self.data = b""

    def makeConnection(self, transport: ITransport) -> None:
        self.transport = transport
        self.said.append("connected")

    def begin(self, handshake: Handshake, rest: bytes) -> None:
        self.said.append(handshake.key)
        self.data += rest

    def dataReceived(self, data: bytes) -> None:
        self.data += data

    def connectionLost(self, reason: Failure) -> None:
        self.said.append("lost")

    def expire(self) -> None:
        self.said.append("expired")

    def ending(self) -> Ending:
        return Ending(1000, "client", 3, 4)


class Scribes:
    def __init__(self) -> None:
        self.made: list[Scribe] = []
        self.started = 0
        self.absent = False

    def doStart(self) -> None:
        self.started += 1

    def doStop(self) -> None:
        self.started -= 1

    def buildProtocol(self, addr: IAddress) -> Scribe | None:
        if self.absent:
            return None
        self.made.append(Scribe())
        return self.made[-1]


def goodbyes(connect: Callable[[], Client], clock: Clock, spread: float, drain_time: float) -> list[float]:
    """When each of many connections is said goodbye to, in seconds after the drain began."""
    found = []
    for _ in range(40):
        client = connect()
        client.door.factory.open_doors = 0
        client.door.factory.drain_time = drain_time
        client.door.factory.options = replace(client.door.factory.options, drain_spread=spread)
        client.send(opening("/ws/echo"))
        conversation = client.door._conversation
        assert isinstance(conversation, Scribe)
        said = conversation.said
        client.door.drain()
        for step in range(200):
            if "expired" in said:
                found.append(step / 10)
                break
            clock.advance(0.1)
            if step + 1 == drain_time * 10:
                client.door.expire()
        client.lose()
    return found
