"""A tcp service that is split request by request, and the server behind it, whose every word the test says itself."""

import contextlib
import gc
import socket
from pathlib import Path

import twisted.internet.reactor  # noqa: F401  # has sockets of its own, from its import on
from portico.arrival import Arrival
from portico.config import Limits, Tcp
from portico.pipes import Pipes
from portico.places import Places
from portico.poller import Poller
from portico.service import RoutedService
from portico.targets.tcp import TcpTarget
from svckit.lease import Ownership

from .reactor import HandReactor
from .wires import Answers, Inbox, Logged, arrive, as_reactor, inline_resolver

PATTERNS = (("/a/", True), ("/b/", False))
FORWARDED = b"X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: http\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def get(path: bytes = b"/a/1", *fields: bytes, method: bytes = b"GET", version: bytes = b"1.1") -> bytes:
    lines = b"".join(field + b"\r\n" for field in (b"Host: h", *fields))
    return b"%b %b HTTP/%b\r\n%b\r\n" % (method, path, version, lines)


def post(*fields: bytes, body: bytes = b"") -> bytes:
    return get(b"/a/post", *fields, method=b"POST") + body


def sent(wire: bytes) -> bytes:
    """A request without hop-by-hop fields as the server gets it."""
    head, _, body = wire.partition(b"\r\n\r\n")
    return head + b"\r\n" + FORWARDED + b"\r\n" + body


class Rig:
    """A target, its server, and what comes out of it."""

    def __init__(self, reactor: HandReactor, poller: Poller, logged: Logged, answers: Answers) -> None:
        self.reactor, self.poller, self.logged, self.answers = reactor, poller, logged, answers
        self.pipes = Pipes()
        self.returned: list[Arrival] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.setblocking(False)
        self.at: tuple[str, int] = self.listener.getsockname()
        self.sockets: list[socket.socket] = [self.listener]
        self.places: Places | None = None
        """Where clients count, if they do."""
        self.make()

    def make(self, limits: Limits | None = None, at: tuple[str, int] | None = None, **settings: object) -> None:
        tcp = Tcp("{}:{}".format(*(at or self.at)), **settings)  # type: ignore[arg-type]
        self.limits = limits or Limits()
        reactor = as_reactor(self.reactor)
        self.service = RoutedService("a", self.limits, reactor, self.answers)
        self.target = TcpTarget(
            self.service,
            tcp,
            self.limits,
            self.poller,
            self.pipes,
            reactor,
            self.answers,
            self.logged.log,
            Ownership(PATTERNS),
            self.returned.append,
            inline_resolver(reactor),
        )
        self.service.target = self.target
        self.target.start()

    def connect(self, first: bytes) -> Inbox:
        """A client whose first bytes are `first`."""
        client, arrival = arrive(first, self.reactor.seconds(), places=self.places)
        self.sockets.append(client)
        self.service.put_through(arrival)
        return Inbox(client)

    def accept(self) -> Inbox:
        """The server's end of the next connection to it."""
        came: list[socket.socket] = []

        def accepted() -> bool:
            try:
                came.append(self.listener.accept()[0])
            except BlockingIOError:
                return False
            return True

        self.reactor.until(accepted)
        self.sockets += came
        came[0].setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return Inbox(came[0])

    def kept(self) -> tuple[Inbox, Inbox]:
        """A client and a server that have had one exchange, on connections that are kept."""
        client = self.connect(get())
        server = self.accept()
        server.sock.send(OK)
        self.expect(client, OK)
        self.expect(server, sent(get()))
        return client, server

    def no_more_connections(self) -> bool:
        self.reactor.settle()
        try:
            self.sockets.append(self.listener.accept()[0])
        except BlockingIOError:
            return True
        return False

    def expect(self, inbox: Inbox, data: bytes) -> None:
        """Wait until `inbox` has exactly `data`, and forget it."""
        self.reactor.until(lambda: len(inbox.read()) >= len(data) or inbox.ended)
        assert inbox.data == data
        inbox.data = b""

    def ends(self, inbox: Inbox) -> bytes:
        """Wait for the end; what came before it."""
        self.reactor.until(inbox.has_ended)
        return inbox.data

    def exchange(self, client: Inbox, server: Inbox, request: bytes, answer: bytes = OK) -> None:
        """One more exchange on connections that are there."""
        server.read()
        server.data = b""
        client.sock.send(request)
        self.expect(server, sent(request))
        server.sock.send(answer)
        self.expect(client, answer)

    @property
    def idle(self) -> int:
        """Connections in the pool."""
        return len(self.target._split.pool)

    @property
    def loads(self) -> list[int]:
        replicas = self.target.status()["replicas"]
        assert isinstance(replicas, list)
        return [replica["open"] for replica in replicas]

    def close(self) -> None:
        self.target.stop()
        self.target._cut()
        for sock in self.sockets:
            sock.close()
        self.reactor.advance(60)
        self.pipes.close()


def open_sockets() -> int:
    """Sockets and pipes that this process has; those that earlier tests have left to the garbage collector do not count."""
    gc.collect()
    found = 0
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # the one that lists them
            found += link.readlink().name.startswith(("socket:", "pipe:"))
    return found


# -- bulk


def pass_through(rig: Rig, source: Inbox, sink: Inbox, data: bytes) -> None:
    """Send all of it at one end, and wait until all of it is at the other."""
    view = memoryview(data)
    while len(sink.read()) < len(data):
        with contextlib.suppress(BlockingIOError):
            view = view[source.sock.send(view[: 1 << 20]) :] if view else view
        rig.reactor.turn(0)
    assert sink.data == data


def deliver(rig: Rig, inbox: Inbox, data: bytes) -> memoryview:
    """Send as much as is taken while nobody reads; what is left."""
    view, stalled = memoryview(data), 0
    while view and stalled < 20:
        try:
            view = view[inbox.sock.send(view[: 1 << 18]) :]
            stalled = 0
        except BlockingIOError:
            stalled += 1
        rig.reactor.turn(0.001)
    return view
