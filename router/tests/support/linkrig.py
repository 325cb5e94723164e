"""A replica that is played by hand, over a real socket file, and the rest that tests of a link need."""

import os
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from portico.arrival import Arrival, HandedBack
from portico.link import Link
from portico.targets.handoff import SCAN_INTERVAL, HandoffTarget
from svckit.handoff import packets, socketfile
from svckit.handoff.codec import VERSION, Connection, Hello, Message, Welcome, decode, encode

from .reactor import HandReactor
from .wires import LISTENER, Inbox, arrive

PATTERNS = (("/static/", True), ("=/", True), ("/uploads/", False))
HEAD = b"GET /static/x HTTP/1.1\r\n\r\n"
FORGED = ("203.0.113.66", 666)


class HandReplica:
    """A replica that does only what it is told to."""

    def __init__(self, folder: Path, name: str = "one", service: str = "static", capacity: int = 100) -> None:
        self.path = folder / f"{name}.sock"
        self.name, self.service, self.capacity = name, service, capacity
        self.listener = socketfile.bind(self.path)
        self.link: socket.socket | None = None
        self.taken_over: list[tuple[Connection, int]] = []
        self.cell = -1

    def accept(self) -> None:
        """The router has connected."""
        self.link, _ = self.listener.accept()

    def greet(self, version: int = VERSION, service: str | None = None) -> None:
        self.accept()
        self.send(Hello(version, self.capacity, service or self.service, self.name))

    def send(self, message: Message, descriptor: int | None = None) -> None:
        self.send_packet(encode(message), descriptor)

    def send_packet(self, packet: bytes, descriptor: int | None = None) -> None:
        assert self.link is not None
        packets.send(self.link, packet, descriptor)

    def hear(self) -> list[Message]:
        """All that the router has said; what came with descriptors is kept."""
        assert self.link is not None
        heard: list[Message] = []
        with suppress(BlockingIOError, ConnectionResetError):
            while True:
                packet, descriptor = packets.receive(self.link)
                if not packet:
                    break
                message = decode(packet)
                heard.append(message)
                if isinstance(message, Connection):
                    assert descriptor is not None
                    self.taken_over.append((message, descriptor))
                elif isinstance(message, Welcome):
                    assert descriptor is not None
                    self.cell = descriptor
                else:
                    assert descriptor is None
        return heard

    def ended(self) -> bool:
        """Whether the router has ended the link."""
        assert self.link is not None
        try:
            return packets.receive(self.link)[0] == b""
        except BlockingIOError:
            return False
        except ConnectionResetError:
            return True

    def hand_back(self, number: int, descriptor: int, unread: bytes = b"") -> None:
        self.send(Connection(number, ("127.0.0.1", 5), LISTENER, unread), descriptor)

    def die(self) -> None:
        """As a killed process does: everything is closed, the file stays."""
        if self.link is not None:
            self.link.close()
        self.link = None
        self.listener.close()
        for _, descriptor in self.taken_over:
            os.close(descriptor)
        self.taken_over.clear()
        if self.cell >= 0:
            os.close(self.cell)
            self.cell = -1


def numbers(replica: HandReplica) -> list[int]:
    """The numbers of all connections that have come to it."""
    replica.hear()
    return [message.number for message, _ in replica.taken_over]


class Owner:
    """Remembers what the link tells, in order."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.taken_: list[Arrival] = []
        self.returned_: list[HandedBack] = []
        self.reclaimed: list[Arrival] | None = None
        self.on_returned: Callable[[], None] = lambda: None
        self.on_taken: Callable[[], None] = lambda: None

    def ready(self, link: Link) -> None:
        self.told.append("ready")

    def taken(self, link: Link, arrivals: list[Arrival]) -> None:
        self.told.append("taken")
        self.taken_ += arrivals
        self.on_taken()

    def returned(self, link: Link, arrivals: list[HandedBack]) -> None:
        self.told.append("returned")
        self.returned_ += arrivals
        self.on_returned()

    def ended(self, link: Link, reclaimed: list[Arrival]) -> None:
        self.told.append("ended")
        self.reclaimed = reclaimed
        if link.leftover is not None:
            link.leftover.close()


def come(preface: bytes = HEAD) -> tuple[Inbox, Arrival]:
    client, arrival = arrive(preface)
    return Inbox(client), arrival


def fill(link: Link, arrival: Arrival) -> int:
    """Offer until the replica's queue is full."""
    arrival.preface = b"x" * 60_000
    count = 0
    while link.offer(arrival):
        count += 1
        assert count < 10_000
    return count


def greet(reactor: HandReactor, *replicas: HandReplica) -> None:
    reactor.advance(SCAN_INTERVAL)
    for replica in replicas:
        replica.greet()
    reactor.settle()
    for replica in replicas:
        replica.hear()


def linked(reactor: HandReactor, target: HandoffTarget, *replicas: HandReplica) -> None:
    """These, and no others, are linked and have been greeted."""
    greet(reactor, *replicas)
    assert len(target._links) == len(replicas)
