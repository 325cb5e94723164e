"""What the tests of the handoff share: a reactor whose turns are called by hand, and a router that is played by hand."""

import os
import resource
import select
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from svckit.handoff import packets
from svckit.handoff.cell import Cell
from svckit.handoff.codec import VERSION, Connection, Message, Taken, Welcome, decode, encode, encode_routes
from twisted.internet import main
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.python.failure import Failure

PATIENCE = 10.0
"""Seconds until something that must happen counts as not happening."""
CLIENT = ("203.0.113.7", 4711)
LISTENER = ("198.51.100.1", 80)


@contextmanager
def no_more_descriptors() -> Iterator[None]:
    """This process has as many open as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    next_free = os.dup(0)
    os.close(next_free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (next_free, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class FakeReactor(Clock):
    """Real descriptors, a clock that stands still, and nothing happens between two calls of `turn`."""

    def __init__(self) -> None:
        super().__init__()
        self.readers: dict[Any, int] = {}
        self.writers: dict[Any, int] = {}
        self.failures: list[Failure] = []

    def addReader(self, reader: Any) -> None:
        self.readers[reader] = reader.fileno()

    def addWriter(self, writer: Any) -> None:
        self.writers[writer] = writer.fileno()

    def removeReader(self, reader: Any) -> None:
        self.readers.pop(reader, None)

    def removeWriter(self, writer: Any) -> None:
        self.writers.pop(writer, None)

    def turn(self, wait: float = 0.0) -> bool:
        """Timed calls, then every descriptor that is ready, once; whether there was one. As Twisted's own reactors do."""
        self.advance(0)
        poll = select.poll()
        for fd in {*self.readers.values(), *self.writers.values()}:
            reads = select.POLLIN if fd in self.readers.values() else 0
            poll.register(fd, reads | (select.POLLOUT if fd in self.writers.values() else 0))
        ready = dict(poll.poll(wait * 1000))
        reading = [each for each, fd in self.readers.items() if ready.get(fd, 0) & ~select.POLLOUT]
        writing = [each for each, fd in self.writers.items() if ready.get(fd, 0) & ~select.POLLIN]
        for selectable in reading:
            if selectable in self.readers:
                self._call(selectable, selectable.doRead)
        for selectable in writing:
            if selectable in self.writers:
                self._call(selectable, selectable.doWrite)
        return bool(reading or writing)

    def _call(self, selectable: Any, method: Callable[[], Any]) -> None:
        try:
            why = method()
        except Exception:
            self.failures.append(Failure())
            why = main.CONNECTION_LOST
        if why:
            self.removeReader(selectable)
            self.removeWriter(selectable)
            selectable.connectionLost(Failure(why))

    def settle(self) -> None:
        """Turn until nothing is left to do now."""
        for _ in range(10_000):
            due = [call for call in self.getDelayedCalls() if call.getTime() <= self.seconds()]
            if not self.turn() and not due:
                return
        raise AssertionError("the reactor spins")

    def until(self, reached: Callable[[], Any]) -> None:
        """Turn until `reached()`: for what the kernel may deliver a moment later."""
        end = time.monotonic() + PATIENCE
        while not reached():
            assert time.monotonic() < end, "it did not happen"
            self.turn(0.01)


class PlayedRouter:
    """The router's end of a link, doing only what the test says."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        packets.widen(sock)
        self.sock, self.cell = sock, Cell()
        self.number = 0
        self.returned: list[socket.socket] = []
        self.unheard: list[Message] = []
        """What `hear` still has to tell."""

    def say(self, message: Message, descriptor: int | None = None) -> None:
        packets.send(self.sock, encode(message), descriptor)

    def welcome(self, *patterns: tuple[str, bool]) -> None:
        self.say(Welcome(VERSION), self.cell.descriptor)
        for packet in encode_routes(patterns):
            packets.send(self.sock, packet)

    def hand(self, connection: socket.socket, unread: bytes = b"") -> int:
        """Hand a connection over; its own copy of the descriptor stays open until the test closes it."""
        self.number += 1
        self.say(Connection(self.number, CLIENT, LISTENER, unread), connection.fileno())
        return self.number

    def hear(self) -> list[Message]:
        """All that was said so far; descriptors that came along stand in `returned`."""
        heard, self.unheard = self.unheard, []
        while True:
            try:
                packet, descriptor = packets.receive(self.sock)
            except ConnectionResetError:
                continue  # the link ended with something of ours unread; what was said comes after this
            except BlockingIOError:
                return heard
            if not packet:
                return heard
            heard.append(decode(packet))
            if descriptor is not None:
                self.returned.append(socket.socket(fileno=descriptor))

    def take(self, number: int) -> None:
        self.say(Taken(number, 0))

    def revoke(self) -> None:
        """As the real one: the cell first, then nothing more can be said to it."""
        self.cell.revoke()
        self.sock.shutdown(socket.SHUT_RD)

    def die(self) -> None:
        """All its descriptors go at once."""
        self.sock.close()
        self.cell.close()
        while self.returned:
            self.returned.pop().close()


def tcp_pair() -> tuple[socket.socket, socket.socket]:
    """A connected pair: the client's end, and the end that was accepted."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        accepted, _ = listener.accept()
    client.settimeout(PATIENCE)
    return client, accepted


def link_pair() -> tuple[socket.socket, socket.socket]:
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


class Recorder(Protocol):
    """Writes down what happens to it."""

    def __init__(self) -> None:
        self.received = b""
        self.lost: Failure | None = None

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def connectionLost(self, reason: Failure = Failure(main.CONNECTION_DONE)) -> None:  # noqa: B008
        self.lost = reason


class Recorders(Factory):
    """Makes recorders and keeps them."""

    noisy = False

    def __init__(self) -> None:
        self.made: list[Any] = []

    def buildProtocol(self, addr: Any) -> Any:
        made = Recorder()
        made.factory = self
        self.made.append(made)
        return made
