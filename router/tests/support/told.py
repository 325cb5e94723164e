"""A tcp target, and listening sockets for its replicas whose every word the test says itself."""

import socket
from collections.abc import Iterator
from typing import Any

from portico.arrival import Address, Arrival
from portico.config import Limits, Tcp
from portico.pipes import Pipes
from portico.poller import Poller
from portico.service import RoutedService
from portico.targets.tcp import TcpTarget
from svckit.lease import Ownership

from .reactor import HandReactor
from .wires import Answers, Inbox, Logged, arrive, as_reactor, inline_resolver

HEAD = b"POST /a/x HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\n"


class Rig:
    """A target and the listening sockets of its replicas, whose every word the test says itself."""

    def __init__(self, reactor: HandReactor, poller: Poller, logged: Logged, answers: Answers) -> None:
        self.reactor, self.poller, self.logged, self.answers = reactor, poller, logged, answers
        self.pipes = Pipes()
        self.sockets: list[socket.socket] = []

    def make(self, *replicas: Address, **settings: Any) -> None:
        limits, reactor = Limits(), as_reactor(self.reactor)
        self.service = RoutedService("a", limits, reactor, self.answers)
        self.target = TcpTarget(
            self.service,
            Tcp("{}:{}".format(*replicas[0]), **settings),
            limits,
            self.poller,
            self.pipes,
            reactor,
            self.answers,
            self.logged.log,
            Ownership((("/a/", True),)),
            lambda arrival: arrival.close(),
            inline_resolver(reactor),
        )
        self.service.target = self.target
        self.target.start()
        self.target.replicas.found(list(replicas))

    def listener(self, port: int = 0) -> socket.socket:
        listener = socket.create_server(("127.0.0.1", port))
        listener.setblocking(False)
        self.sockets.append(listener)
        return listener

    def connect(self, first: bytes = HEAD) -> tuple[Inbox, Arrival]:
        client, arrival = arrive(first)
        self.sockets.append(client)
        self.service.put_through(arrival)
        return Inbox(client), arrival

    def accept(self, listener: socket.socket) -> Inbox:
        self.reactor.until(lambda: self.accepted(listener))
        return Inbox(self.sockets[-1])

    def accepted(self, listener: socket.socket) -> bool:
        try:
            self.sockets.append(listener.accept()[0])
        except BlockingIOError:
            return False
        return True

    def states(self) -> list[object]:
        replicas = self.target.status()["replicas"]
        assert isinstance(replicas, list)
        return [replica["state"] for replica in replicas]

    def close(self) -> None:
        for sock in self.sockets:
            sock.close()
        self.target.stop()
        self.reactor.settle()
        self.reactor.pump([1.0] * 12)
        self.pipes.close()
        assert len(self.poller) == 0


def told(reactor: HandReactor, poller: Poller, logged: Logged, answers: Answers) -> Iterator[Rig]:
    rig = Rig(reactor, poller, logged, answers)
    yield rig
    rig.close()
