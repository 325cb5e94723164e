"""A router with one tcp service whose addresses can be full, and servers whose every word a test says itself."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import NotRequired, TypedDict

from portico.arrival import Arrival
from portico.config import Limits, Tcp
from portico.core.rule import Rule
from portico.core.table import RouteTable
from portico.pipes import Pipes
from portico.poller import Poller
from portico.router import Router
from portico.service import RoutedService
from portico.targets.tcp import TcpTarget
from svckit.lease import Ownership

from .reactor import HandReactor
from .wires import LISTENER, Inbox, Logged, as_reactor, inline_resolver, parse_response, tcp_pair

__all__ = ["HELLO", "KEEPALIVE", "OK", "PATTERNS", "QUEUE", "FullRig", "Server", "finish", "full", "get", "status_of"]

QUEUE = 5.0
LIMITS = Limits(queue_timeout=QUEUE, drain_time=8.0)
PATTERNS = (("/", True),)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
HELLO = b"hello"
KEEPALIVE = ("split", "close", "pin")


def get(path: str = "/a", extra: str = "", method: str = "GET") -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: h\r\n{extra}\r\n".encode()


class Server:
    """An address: it accepts when the test says so."""

    def __init__(self, reactor: HandReactor, port: int = 0, host: str = "127.0.0.1") -> None:
        self._reactor = reactor
        self._listener = socket.create_server((host, port))
        self._listener.setblocking(False)
        self.at: tuple[str, int] = self._listener.getsockname()
        self.came: list[Inbox] = []
        self._given = 0

    @property
    def name(self) -> str:
        return "{}:{}".format(*self.at)

    def look(self) -> int:
        """How many connections have come so far."""
        self._reactor.settle()
        with suppress(BlockingIOError):
            while True:
                self.came.append(Inbox(self._listener.accept()[0]))
        return len(self.came)

    def accept(self) -> Inbox:
        """The next connection."""
        self._reactor.until(lambda: self.look() > self._given)
        self._given += 1
        return self.came[self._given - 1]

    def hears(self, inbox: Inbox, text: bytes) -> None:
        """Wait for `text`, and forget what has come."""
        self._reactor.until(inbox.holds(text))
        inbox.data = b""

    def stop(self) -> None:
        """Accept no more; what is there lives on."""
        self._listener.close()

    @contextmanager
    def is_deaf(self) -> Iterator[None]:
        """Its queue is full: connections to it are neither accepted nor refused."""
        self._listener.listen(0)
        with ExitStack() as stack:
            for _ in range(3):
                sock = stack.enter_context(socket.socket())
                sock.setblocking(False)
                sock.connect_ex(self.at)
            yield

    def again(self) -> "Server":
        """The same address, accepting."""
        return Server(self._reactor, self.at[1], self.at[0])

    def close(self) -> None:
        self._listener.close()
        for each in self.came:
            each.sock.close()


class ReplicaStatus(TypedDict):
    """One address in the status of a target."""

    replica: str
    state: str
    open: int
    capacity: NotRequired[int]


class FullRig:
    """The router, the service, the servers, the clients."""

    def __init__(self, reactor: HandReactor, poller: Poller, logged: Logged) -> None:
        self.reactor, self.poller, self.logged = reactor, poller, logged
        self.router = Router(LIMITS, poller, as_reactor(reactor), logged.log)
        self.pipes = Pipes()
        self.servers: list[Server] = []
        self.clients: list[Inbox] = []
        self.services: list[RoutedService] = []
        self.port = 0

    def server(self) -> Server:
        """One more address, all of the same port."""
        made = Server(self.reactor, self.port, f"127.0.0.{len(self.servers) + 1}")
        self.port = made.at[1]
        self.servers.append(made)
        return made

    def make(self, limits: Limits = LIMITS, /, **settings: object) -> TcpTarget:
        """The service, with the servers that there are."""
        reactor = as_reactor(self.reactor)
        service = RoutedService("app", limits, reactor, self.router)
        target = TcpTarget(
            service,
            Tcp(f"127.0.0.1:{self.port}", **settings),  # type: ignore[arg-type]
            limits,
            self.poller,
            self.pipes,
            reactor,
            self.router,
            self.logged.log,
            Ownership(PATTERNS),
            self.router.readmit,
            inline_resolver(reactor),
        )
        service.target = target
        if self.services:
            before = self.target
            target.succeed(before)
        target.start()
        target.replicas.found([server.at for server in self.servers])
        self.router.use(RouteTable([Rule(service, pattern="/")]), limits)
        if self.services:
            self.services[-1].retire((), self.router.reroute)
        self.services.append(service)
        return target

    @property
    def service(self) -> RoutedService:
        return self.services[-1]

    @property
    def target(self) -> TcpTarget:
        target = self.service.target
        assert isinstance(target, TcpTarget)
        return target

    def connect(self, first: bytes = b"") -> Inbox:
        """A client whose first bytes are `first`; by default a request."""
        client, ours = tcp_pair()
        arrival = Arrival(ours, client.getsockname(), LISTENER, self.reactor.seconds(), first or get())
        self.router.admit(arrival)
        made = Inbox(client)
        self.clients.append(made)
        return made

    def gets(self, inbox: Inbox, text: bytes) -> None:
        """Wait until the client has got `text`, and forget what has come."""
        self.reactor.until(inbox.holds(text))
        inbox.data = b""

    @property
    def loads(self) -> list[int]:
        return [replica["open"] for replica in self.replicas]

    @property
    def states(self) -> list[str]:
        return [replica["state"] for replica in self.replicas]

    @property
    def replicas(self) -> list[ReplicaStatus]:
        found = self.target.status()["replicas"]
        assert isinstance(found, list)
        return found

    def close(self) -> None:
        """All end; nothing may be left under way."""
        for client in self.clients:
            client.sock.close()
        for server in self.servers:
            server.close()
        self.reactor.settle()
        for service in self.services:
            service.refuse_queued()
            service.target.stop()
        self.reactor.settle()
        self.reactor.pump([1.0] * 12)
        self.reactor.settle()
        assert self.loads == [0] * len(self.loads)
        self.pipes.close()


def finish(rig: FullRig, client: Inbox, server: Inbox) -> None:
    """The exchange that is under way between the two ends, and so does a tunnel."""
    server.sock.send(OK)
    rig.gets(client, OK)
    if rig.target._settings.keepalive != "split":
        server.sock.close()
        client.sock.close()
        rig.reactor.settle()


def status_of(rig: FullRig, client: Inbox) -> int:
    rig.reactor.until(client.has_ended)
    return parse_response(client.data)[0].status


def full(reactor: HandReactor, poller: Poller, logged: Logged) -> Iterator[FullRig]:
    made = FullRig(reactor, poller, logged)
    yield made
    made.close()
    assert len(poller) == 0, "the router still watches something"
