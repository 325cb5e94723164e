"""One suite against all three targets: what a client and a service may rely on, however the connection is put through."""

import errno
import os
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from portico.arrival import Arrival
from portico.balancing import Balancer
from portico.checking import Check
from portico.config import Handoff, Limits, Tcp
from portico.core.rule import Rule
from portico.core.table import RouteTable
from portico.patience import Hurry
from portico.poller import Poller
from portico.pump import Pipes
from portico.router import Router
from portico.service import RoutedService
from portico.targets import connect as connect_module
from portico.targets.handoff import SCAN_INTERVAL, HandoffTarget
from portico.targets.inprocess import InProcessTarget
from portico.targets.lookup import RESOLVE_INTERVAL
from portico.targets.tcp import TcpTarget
from svckit.handoff.replica import HandoffReplica
from svckit.lease import Ownership
from svckit.live import GOODBYE_TIME
from svckit.settings import Settings
from svckit.web import GuardedSite
from twisted.internet.interfaces import IAddress, IProtocolFactory
from twisted.internet.protocol import Factory, Protocol
from twisted.web.http import Request
from twisted.web.resource import Resource

from .support.reactor import HandReactor
from .support.wires import LISTENER, Inbox, Logged, as_reactor, inline_resolver, parse_response, tcp_pair

LIMITS = Limits(queue_timeout=5.0, drain_time=8.0, take_timeout=2.0)
PREFIXES = (("/a/", "alpha"), ("/b/", "beta"))
HEAD = b"GET /a/x HTTP/1.1\r\nHost: h\r\n\r\n"

# -- what services do


class Echo(Protocol):
    """Says who it is and whom it sees, then sends everything back."""

    def __init__(self, name: str) -> None:
        self.name = name

    def connectionMade(self) -> None:
        assert self.transport is not None
        peer = self.transport.getPeer()
        self.transport.write(f"{self.name} sees {peer.host} {peer.port}\n".encode())  # type: ignore[attr-defined]

    def dataReceived(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(data)


class EchoFactory(Factory[Echo]):
    noisy = False

    def __init__(self, name: str) -> None:
        self.name = name

    def buildProtocol(self, address: IAddress | None) -> Echo:
        return Echo(self.name)


class Declining(Factory[Echo]):
    noisy = False

    def buildProtocol(self, address: IAddress | None) -> None:
        return None


class EchoThreads(socketserver.ThreadingTCPServer):
    """The same, as an unmodified server."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, name: str, host: str = "127.0.0.1", port: int = 0) -> None:
        self.name = name
        super().__init__((host, port), EchoHandler)
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def at(self) -> tuple[str, int]:
        host, port = self.server_address[:2]
        return str(host), port

    def end(self) -> None:
        self.shutdown()
        self.server_close()


class EchoHandler(socketserver.BaseRequestHandler):
    server: EchoThreads

    def handle(self) -> None:
        self.request.sendall("{} sees {} {}\n".format(self.server.name, *self.client_address).encode())
        try:
            while data := self.request.recv(65_536):
                self.request.sendall(data)
        except OSError:
            pass  # the tunnel was cut


class Page(Resource):
    isLeaf = True

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def render(self, request: Request) -> bytes:
        assert request.content is not None
        peer = request.getClientAddress()
        return b"%s %s %s %s" % (self.name.encode(), request.uri, peer.host.encode(), request.content.read())


# -- the parts of the router around a target


class Ways:
    """A router with two services, put through by one kind of target."""

    kind = how = ""
    promises_address = True
    holds_connections = True
    hands_back = True

    def __init__(self, reactor: HandReactor, poller: Poller, logged: Logged, folder: Path) -> None:
        self.hands, self.reactor, self.poller, self.logged, self.folder = reactor, as_reactor(reactor), poller, logged, folder
        self.router = Router(LIMITS, poller, self.reactor, logged.log)
        self.services = {name: RoutedService(name, LIMITS, self.reactor, self.router) for _, name in PREFIXES}
        self.router.use(RouteTable(Rule(self.services[name], pattern=prefix) for prefix, name in PREFIXES), LIMITS)
        self.closers: list[Callable[[], object]] = []

    def patterns(self, name: str) -> tuple[tuple[str, bool], ...]:
        return tuple((prefix, owner == name) for prefix, owner in PREFIXES)

    def serve(self, name: str, http: bool = False) -> RoutedService:
        """Make one of the services work."""
        raise NotImplementedError

    def factory(self, name: str, http: bool) -> IProtocolFactory:
        return GuardedSite(Page(name), self.reactor) if http else EchoFactory(name)

    def connect(self, preface: bytes, seen: tuple[str, int] | None = None) -> Inbox:
        """A client whose first bytes are `preface`; `seen` is its address, where it is to be another than it is."""
        client, ours = tcp_pair()
        arrival = Arrival(ours, seen or client.getsockname(), LISTENER, self.reactor.seconds(), preface)
        self.router.admit(arrival)
        self.closers.append(client.close)
        return Inbox(client)

    def until(self, inbox: Inbox, text: bytes) -> bytes:
        self.hands.until(inbox.holds(text))
        return inbox.data

    def close(self) -> None:
        for close in reversed(self.closers):
            close()
        for name in self.services:
            service = self.services[name]
            if hasattr(service, "target"):
                service.target.stop()
        self.hands.settle()
        self.hands.pump([1.0] * 15)
        self.hands.settle()


class InProcessWays(Ways):
    kind = "in-process"
    how = "in process"

    def serve(self, name: str, http: bool = False) -> RoutedService:
        service = self.services[name]
        ownership = Ownership(self.patterns(name))
        service.target = InProcessTarget(
            self.factory(name, http), ownership, self.reactor, self.router.readmit, self.logged.log, LIMITS.drain_time
        )
        service.target.start()
        return service


class HandoffWays(Ways):
    kind = "handoff"
    how = "handed over"
    holds_connections = False

    def __init__(self, reactor: HandReactor, poller: Poller, logged: Logged, folder: Path) -> None:
        super().__init__(reactor, poller, logged, folder)
        self.replicas: list[HandoffReplica] = []

    def serve(self, name: str, http: bool = False) -> RoutedService:
        service = self.target_of(name)
        self.replica(name, "one", http)
        return service

    def target_of(self, name: str) -> RoutedService:
        service = self.services[name]
        service.target = HandoffTarget(
            service,
            self.folder / name,
            self.patterns(name),
            LIMITS.take_timeout,
            self.poller,
            self.reactor,
            self.router.readmit,
            self.logged.log,
            Balancer(Handoff()),
        )
        service.target.start()
        return service

    def replica(self, name: str, replica: str, http: bool = False) -> HandoffReplica:
        settings = Settings(service=name, replica=replica, state=self.folder, drain_time=LIMITS.drain_time)
        made = HandoffReplica(settings, self.factory(f"{name}", http), self.folder / name, self.reactor)
        made.startService()
        self.replicas.append(made)
        self.hands.advance(SCAN_INTERVAL)
        self.hands.settle()
        return made

    def close(self) -> None:
        for replica in self.replicas:
            replica.stopService()
        super().close()


class TcpWays(Ways):
    kind = "tcp"
    how = "tcp"
    promises_address = False
    hands_back = False

    def __init__(self, reactor: HandReactor, poller: Poller, logged: Logged, folder: Path) -> None:
        super().__init__(reactor, poller, logged, folder)
        self.pipes = Pipes()

    def serve(self, name: str, http: bool = False) -> RoutedService:
        server = self.server(name)
        return self.target_of(name, Tcp("{}:{}".format(*server.at), keepalive="pin"))

    def server(self, name: str, host: str = "127.0.0.1", port: int = 0) -> EchoThreads:
        server = EchoThreads(name, host, port)
        self.closers.append(server.end)
        return server

    def target_of(self, name: str, settings: Tcp, limits: Limits = LIMITS) -> RoutedService:
        service = self.services[name]
        service.target = TcpTarget(
            service,
            settings,
            limits,
            self.poller,
            self.pipes,
            self.reactor,
            self.router,
            self.logged.log,
            Ownership(self.patterns(name)),
            self.router.readmit,
            inline_resolver(self.reactor),
        )
        service.target.start()
        return service

    def close(self) -> None:
        super().close()
        self.pipes.close()


ALL = {kind.kind: kind for kind in (InProcessWays, HandoffWays, TcpWays)}


def running(kind: type[Ways], reactor: HandReactor, poller: Poller, logged: Logged, folder: Path) -> Iterator[Ways]:
    made = kind(reactor, poller, logged, folder)
    yield made
    made.close()
    assert len(poller) == 0, "the router still watches something"
    assert reactor.readers == {poller}


@pytest.fixture(params=ALL)
def ways(request: pytest.FixtureRequest, reactor: HandReactor, poller: Poller, logged: Logged, folder: Path) -> Iterator[Ways]:
    yield from running(ALL[request.param], reactor, poller, logged, folder)


@pytest.fixture(params=[kind for kind in ALL if ALL[kind].hands_back])
def returning(
    request: pytest.FixtureRequest, reactor: HandReactor, poller: Poller, logged: Logged, folder: Path
) -> Iterator[Ways]:
    yield from running(ALL[request.param], reactor, poller, logged, folder)


@pytest.fixture
def handoff(reactor: HandReactor, poller: Poller, logged: Logged, folder: Path) -> Iterator[Ways]:
    yield from running(HandoffWays, reactor, poller, logged, folder)


@pytest.fixture
def tcp(reactor: HandReactor, poller: Poller, logged: Logged, folder: Path) -> Iterator[Ways]:
    yield from running(TcpWays, reactor, poller, logged, folder)


# -- all three


def greeting(name: str, client: Inbox) -> bytes:
    return "{} sees {} {}\n".format(name, *client.sock.getsockname()).encode()


@pytest.mark.parametrize("body", [b"", b"\0\r\nbody\xff", b"b" * 100_000])
def test_the_preface_is_replayed_exactly_and_the_body_follows(ways: Ways, body: bytes) -> None:
    ways.serve("alpha")
    client = ways.connect(HEAD + body)
    ways.until(client, HEAD + body)
    for number in range(20):
        client.sock.send(b"<%d>" % number)
        ways.until(client, b"<%d>" % number)
    said, _, echoed = client.data.partition(b"\n")
    assert said.startswith(b"alpha sees ")
    assert echoed == HEAD + body + b"".join(b"<%d>" % number for number in range(20))


def test_bytes_that_come_while_it_is_put_through_keep_their_order(ways: Ways) -> None:
    ways.serve("alpha")
    client = ways.connect(HEAD)
    client.sock.send(b"first,")  # nobody has turned the reactor yet
    client.sock.send(b"second,")
    ways.hands.settle()
    client.sock.send(b"third")
    assert ways.until(client, b"third").partition(b"\n")[2] == HEAD + b"first,second,third"


def test_bulk_both_ways(ways: Ways) -> None:
    ways.serve("alpha")
    client = ways.connect(HEAD)
    ways.until(client, HEAD)
    client.data = b""
    data = os.urandom(4 << 20)
    sent = 0
    while len(client.data) < len(data):
        if sent < len(data):
            with suppress(BlockingIOError):
                sent += client.sock.send(data[sent : sent + 262_144])
        ways.hands.turn(0.001)
        client.read()
        assert not client.ended
    assert client.data == data


@pytest.mark.parametrize("seen", [None, ("203.0.113.7", 4711), ("2001:db8::7", 4711)])
def test_the_clients_address(ways: Ways, seen: tuple[str, int] | None) -> None:
    ways.serve("alpha")
    client = ways.connect(HEAD, seen)
    line = ways.until(client, HEAD).partition(b"\n")[0].decode()
    address = "{} {}".format(*(seen or client.sock.getsockname()))
    if ways.promises_address:
        assert line == f"alpha sees {address}"
    else:
        assert line != f"alpha sees {address}"


def test_each_prefix_goes_to_its_own_service(ways: Ways) -> None:
    for _, name in PREFIXES:
        ways.serve(name)
    for path, owner in ((b"/a/x", b"alpha"), (b"/b/y", b"beta"), (b"/x/../%61/z", b"alpha"), (b"/b", b"beta")):
        client = ways.connect(b"GET %s HTTP/1.1\r\nHost: h\r\n\r\n" % path)
        assert ways.until(client, b" HTTP/1.1\r\nHost: h\r\n\r\n").startswith(owner + b" ")


def test_a_head_that_takes_its_time(ways: Ways) -> None:
    ways.serve("alpha")
    client = ways.connect(b"")
    for at in range(len(HEAD)):
        client.sock.send(HEAD[at : at + 1])
        ways.hands.settle()
    assert ways.until(client, HEAD).partition(b"\n")[2] == HEAD


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /c/x HTTP/1.1\r\nHost: h\r\n\r\n", 404),
        (b"GET /ax HTTP/1.1\r\nHost: h\r\n\r\n", 404),
        (b"GET /../a/x HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"GET /a/x HTTP/1.1\r\n\r\n", 400),
        (b"GET /a/x HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n", 400),
        (b"GET /a/x HTTP/1.0\r\nHost: h\r\nHost: h\r\n\r\n", 400),
        (b"GET /a/x HTTP/1.1\r\nHost: h h\r\n\r\n", 400),
        (b"GET /a/x HTTP/1.1\r\nHost: h\r\n" + b"A: b\r\n" * 128 + b"\r\n", 431),
        (b"GET /a/x HTTP/1.1\nbad\r\n\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        (b"GET /a/ HTTP/1.1\r\nA: " + b"x" * 20_000, 431),
    ],
)
def test_what_the_router_answers_itself(ways: Ways, request_: bytes, status: int) -> None:
    ways.serve("alpha")
    client = ways.connect(request_)
    ways.hands.until(client.has_ended)
    assert not client.reset
    assert parse_response(client.data)[0].status == status
    assert ways.router.counts == {"accepted": 1, f"answered {status}": 1}
    assert [(line["how"], line["status"], line["ended"]) for line in ways.logged.lines] == [("answered", status, "PR")]


def test_the_access_log_has_one_line(ways: Ways) -> None:
    ways.serve("alpha")
    client = ways.connect(HEAD)
    ways.until(client, HEAD)
    if not isinstance(ways, TcpWays):
        client.sock.shutdown(socket.SHUT_WR)
    client.sock.close()
    ways.hands.until(lambda: ways.logged.lines)
    ways.hands.settle()
    (line,) = ways.logged.lines
    assert (line["how"], line["service"], line["method"], line["target"], line["host"]) == (
        ways.how,
        "alpha",
        "GET",
        "/a/x",
        "h",
    )
    assert line["status"] is None
    if isinstance(ways, TcpWays):
        greeted = len(client.data) - len(HEAD)
        assert (line["up"], line["down"]) == (len(HEAD), len(HEAD) + greeted)


def test_the_services_end_reaches_the_client(ways: Ways, monkeypatch: pytest.MonkeyPatch) -> None:
    def say_and_close(echo: Echo, data: bytes) -> None:
        assert echo.transport is not None
        echo.transport.write(b"that is all")
        echo.transport.loseConnection()

    def handle(handler: EchoHandler) -> None:
        handler.request.recv(65_536)
        handler.request.sendall(b"that is all")

    monkeypatch.setattr(Echo, "dataReceived", say_and_close)
    monkeypatch.setattr(EchoHandler, "handle", handle)
    ways.serve("alpha")
    client = ways.connect(HEAD)
    ways.hands.until(client.has_ended)
    assert client.data.endswith(b"that is all")
    assert not client.reset


def test_the_clients_end_reaches_the_service(ways: Ways, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = threading.Event()
    monkeypatch.setattr(Echo, "connectionLost", lambda echo, reason: ended.set())
    monkeypatch.setattr(EchoHandler, "finish", lambda handler: ended.set())
    ways.serve("alpha")
    client = ways.connect(HEAD)
    ways.until(client, HEAD)
    client.sock.close()
    ways.hands.until(ended.is_set)


def open_of(service: RoutedService) -> list[object]:
    replicas = service.target.status()["replicas"]
    assert isinstance(replicas, list)
    return [replica["open"] for replica in replicas]


def test_status_counts_the_open_connections(ways: Ways) -> None:
    service = ways.serve("alpha")
    assert service.target.status()["target"] == ways.kind
    assert open_of(service) == [0]
    clients = [ways.connect(HEAD) for _ in range(3)]
    for client in clients:
        ways.until(client, HEAD)
    assert open_of(service) == [3]
    for client in clients:
        client.sock.close()

    def none_left() -> bool:
        ways.hands.advance(0.05)  # a replica reports its load in batches
        return open_of(service) == [0]

    ways.hands.until(none_left)


def test_a_drain_lets_connections_end(ways: Ways) -> None:
    service = ways.serve("alpha")
    client = ways.connect(HEAD)
    ways.until(client, HEAD)
    done: list[None] = []
    service.target.stop().addCallback(done.append)
    ways.hands.settle()
    assert done == ([] if ways.holds_connections else [None])
    client.sock.send(b"still served")
    ways.until(client, b"still served")
    client.sock.close()
    ways.hands.until(lambda: done)
    assert done == [None]


def test_a_drain_ends_when_its_time_is_up(ways: Ways) -> None:
    service = ways.serve("alpha")
    client = ways.connect(HEAD)
    ways.until(client, HEAD)
    done: list[None] = []
    service.target.stop().addCallback(done.append)
    ways.hands.advance(LIMITS.drain_time - 0.1)
    ways.hands.settle()
    assert done == ([] if ways.holds_connections else [None])
    ways.hands.advance(0.2)
    ways.hands.settle()
    ways.hands.advance(GOODBYE_TIME)
    ways.hands.settle()
    assert done == [None]
    assert client.has_ended() == ways.holds_connections  # a replica drains by itself, later


def test_a_drain_with_nothing_open_is_over_at_once(ways: Ways) -> None:
    service = ways.serve("alpha")
    done: list[None] = []
    service.target.stop().addCallback(done.append)
    assert done == [None]


# -- keep-alive across services: in-process and handoff


def ask(path: bytes, more: bytes = b"") -> bytes:
    return b"GET %s HTTP/1.1\r\nHost: h\r\n%s\r\n" % (path, more)


def test_two_services_on_one_connection(returning: Ways) -> None:
    for _, name in PREFIXES:
        returning.serve(name, http=True)
    client = returning.connect(ask(b"/a/1"))
    host = client.sock.getsockname()[0].encode()
    for path, owner in ((b"/a/1", b"alpha"), (b"/b/2", b"beta"), (b"/b/3", b"beta"), (b"/a/4", b"alpha"), (b"/b/5", b"beta")):
        if path != b"/a/1":
            client.sock.send(ask(path))
        returning.until(client, b"%s %s %s " % (owner, path, host))
    assert client.data.count(b"HTTP/1.1 200 OK") == 5
    assert returning.router.counts == {"accepted": 1, "returned": 3}
    lines = returning.logged.lines
    assert [(line["service"], line["target"], line["returned"]) for line in lines] == [
        ("alpha", "/a/1", False),
        ("beta", "/b/2", True),
        ("alpha", "/a/4", True),
        ("beta", "/b/5", True),
    ]


def test_pipelined_requests_for_two_services_are_answered_in_order(returning: Ways) -> None:
    for _, name in PREFIXES:
        returning.serve(name, http=True)
    post = b"POST /b/2 HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody"
    client = returning.connect(ask(b"/a/1") + post + ask(b"/a/3") + ask(b"/a/4") + ask(b"/b/5", b"Connection: close\r\n"))
    returning.hands.until(client.has_ended)
    found = [
        client.data.find(text) for text in (b"alpha /a/1", b"beta /b/2", b"body", b"alpha /a/3", b"alpha /a/4", b"beta /b/5")
    ]
    assert found == sorted(found)
    assert -1 not in found
    assert client.data.count(b"HTTP/1.1 200 OK") == 5


def test_a_path_that_nobody_owns_on_a_kept_connection(returning: Ways) -> None:
    returning.serve("alpha", http=True)
    client = returning.connect(ask(b"/a/1"))
    returning.until(client, b"alpha /a/1")
    client.sock.send(ask(b"/c/2"))
    returning.hands.until(client.has_ended)
    assert b"HTTP/1.1 404 Not Found" in client.data


def test_a_kept_connection_that_is_handed_back_by_bytes(returning: Ways) -> None:
    for _, name in PREFIXES:
        returning.serve(name, http=True)
    client = returning.connect(ask(b"/a/1"))
    returning.until(client, b"alpha /a/1")
    request = ask(b"/b/2")
    for at in range(len(request)):
        client.sock.send(request[at : at + 1])
        returning.hands.settle()
    returning.until(client, b"beta /b/2")


def test_an_idle_connection_that_comes_back_while_the_router_drains(
    reactor: HandReactor, poller: Poller, logged: Logged, folder: Path
) -> None:
    ways = InProcessWays(reactor, poller, logged, folder)
    service = ways.serve("alpha", http=True)
    client = ways.connect(ask(b"/a/1"))
    ways.until(client, b"alpha /a/1")
    ways.router.patience.drain(Hurry(1.0, 5.0))
    done: list[None] = []
    service.target.stop().addCallback(done.append)
    ways.hands.settle()
    ways.hands.advance(1.0)
    ways.hands.until(client.has_ended)  # soon: nobody waits long for another request
    assert len(ways.router.patience) == 0
    ways.hands.until(lambda: done)
    ways.close()


# -- handoff only


def test_without_a_replica_it_is_held_and_then_served(handoff: HandoffWays) -> None:
    handoff.target_of("alpha")
    client = handoff.connect(HEAD)
    handoff.hands.advance(3)
    handoff.replica("alpha", "late")
    assert handoff.until(client, HEAD).partition(b"\n")[2] == HEAD


def test_without_a_replica_for_too_long(handoff: HandoffWays) -> None:
    handoff.target_of("alpha")
    client = handoff.connect(HEAD)
    handoff.hands.pump([SCAN_INTERVAL] * 26)
    handoff.hands.until(client.has_ended)
    response, _ = parse_response(client.data)
    assert response.status == 503
    assert response.headers["Retry-After"]


def test_scaling_down_cuts_nobody_and_the_next_goes_to_another_replica(handoff: HandoffWays) -> None:
    handoff.target_of("alpha")
    one = handoff.replica("alpha", "one", http=True)
    client = handoff.connect(ask(b"/a/1"))
    handoff.until(client, b"alpha /a/1")
    handoff.replica("alpha", "two", http=True)
    drained: list[object] = []
    one.stopService().addCallback(drained.append)
    handoff.hands.until(lambda: drained)
    assert not client.has_ended()
    client.sock.send(ask(b"/a/2"))
    handoff.until(client, b"alpha /a/2")
    assert [line["replica"] for line in handoff.logged.lines] == ["one", "two"]


def test_replicas_share_the_load(handoff: HandoffWays) -> None:
    service = handoff.target_of("alpha")
    for name in ("one", "two", "three"):
        handoff.replica("alpha", name)
    for _ in range(9):
        handoff.until(handoff.connect(HEAD), HEAD)
    handoff.hands.advance(0.1)
    assert open_of(service) == [3, 3, 3]


# -- in-process only


def test_a_factory_that_declines_closes(reactor: HandReactor, poller: Poller, logged: Logged, folder: Path) -> None:
    ways = InProcessWays(reactor, poller, logged, folder)
    ways.factory = lambda name, http: Declining()  # type: ignore[method-assign]
    ways.serve("alpha")
    client = ways.connect(HEAD)
    ways.hands.until(client.has_ended)
    assert client.data == b""
    ways.close()


# -- tcp only


def refusing_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class Names:
    """Stands for the name service: one name, addresses that a test changes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.addresses: list[tuple[str, int]] = []
        self.asked = 0
        self.real = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", self.find)

    def find(self, host: str, *args: Any, **kw: Any) -> list[Any]:
        if host != "server.test":
            return self.real(host, *args, **kw)
        self.asked += 1
        if not self.addresses:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port)) for host, port in self.addresses]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    return Names(monkeypatch)


NAMED = Tcp("server.test:80", keepalive="pin")


def test_an_address_that_refuses_is_passed_over(tcp: TcpWays, names: Names) -> None:
    names.addresses = [("127.0.0.1", refusing_port()), tcp.server("alpha").at]
    service = tcp.target_of("alpha", NAMED)
    clients = [tcp.connect(HEAD) for _ in range(4)]
    for client in clients:
        assert tcp.until(client, HEAD).startswith(b"alpha ")
    assert open_of(service) == [0, 4]


def test_nobody_accepts(tcp: TcpWays, names: Names) -> None:
    names.addresses = [("127.0.0.1", refusing_port()), ("127.0.0.1", refusing_port())]
    service = tcp.target_of("alpha", NAMED)
    client = tcp.connect(HEAD)
    tcp.hands.until(client.has_ended)
    assert parse_response(client.data)[0].status == 502
    assert open_of(service) == [0, 0]


@pytest.fixture
def silent() -> Iterator[tuple[str, int]]:
    """An address that neither accepts nor refuses: its queue is full."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        at = listener.getsockname()
        fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(at)
            fillers.append(filler)
        yield at
        for filler in fillers:
            filler.close()


def test_no_answer_in_time(tcp: TcpWays, silent: tuple[str, int]) -> None:
    service = tcp.target_of("alpha", Tcp("{}:{}".format(*silent), keepalive="pin", connect_timeout=3.0))
    client = tcp.connect(HEAD)
    tcp.hands.settle()
    assert open_of(service) == [1]
    tcp.hands.advance(2.9)
    assert not client.has_ended()
    tcp.hands.advance(0.2)
    tcp.hands.until(client.has_ended)
    assert parse_response(client.data)[0].status == 504
    assert open_of(service) == [0]


def test_no_answer_in_time_and_then_another(tcp: TcpWays, names: Names, silent: tuple[str, int]) -> None:
    names.addresses = [silent, tcp.server("alpha").at]
    tcp.target_of("alpha", NAMED)
    client = tcp.connect(HEAD)
    tcp.hands.settle()
    tcp.hands.advance(3.1)
    assert tcp.until(client, HEAD).startswith(b"alpha ")


def test_a_name_without_an_address(tcp: TcpWays, names: Names) -> None:
    service = tcp.target_of("alpha", NAMED)
    client = tcp.connect(HEAD)
    assert service.queued == 1
    names.addresses = [tcp.server("alpha").at]
    tcp.hands.advance(RESOLVE_INTERVAL)
    assert tcp.until(client, HEAD).startswith(b"alpha ")
    names.addresses = []
    tcp.hands.advance(RESOLVE_INTERVAL)
    client.sock.send(b"live ones go on")
    tcp.until(client, b"live ones go on")
    late = tcp.connect(HEAD)
    tcp.hands.pump([RESOLVE_INTERVAL] * 3)
    tcp.hands.until(late.has_ended)
    assert parse_response(late.data)[0].status == 503
    assert names.asked >= 5


def test_a_service_that_nobody_uses_is_not_asked_for(tcp: TcpWays, names: Names) -> None:
    names.addresses = [tcp.server("alpha").at]
    service = tcp.target_of("alpha", NAMED)
    tcp.hands.pump([RESOLVE_INTERVAL] * 300)
    assert names.asked == 0
    assert (service.target.status()["state"], service.target.status()["replicas"]) == ("resting", [])
    client = tcp.connect(HEAD)
    assert tcp.until(client, HEAD).startswith(b"alpha ")
    tcp.hands.pump([RESOLVE_INTERVAL] * 300)  # a live connection keeps it in use
    assert names.asked == 301
    assert service.target.status()["state"] == ""
    client.sock.close()
    tcp.hands.until(lambda: replicas_of(service)[0]["open"] == 0)  # the server ends its side in a time of its own
    tcp.hands.pump([RESOLVE_INTERVAL] * 300)
    rested = names.asked
    assert rested < 340
    assert states_of(service) == ["resting"]
    old, names.addresses = names.addresses, [tcp.server("alpha").at]
    client = tcp.connect(HEAD)
    assert tcp.until(client, HEAD).startswith(b"alpha ")
    assert names.asked == rested + 1
    assert [replica["replica"] for replica in replicas_of(service)] == ["{}:{}".format(*names.addresses[0])]
    assert old != names.addresses


def test_a_name_that_does_not_exist(tcp: TcpWays, names: Names) -> None:
    service = tcp.target_of("alpha", NAMED)
    client = tcp.connect(HEAD)
    assert service.target.status()["state"] == "no address"
    tcp.hands.pump([0.5] * 11)
    tcp.hands.until(client.has_ended)
    assert parse_response(client.data)[0].status == 503
    asked = names.asked
    tcp.hands.pump([RESOLVE_INTERVAL] * 300)
    assert names.asked <= asked + 1
    assert service.target.status()["state"] == "resting"


def states_of(service: RoutedService) -> list[object]:
    return [replica["state"] for replica in replicas_of(service)]


def replicas_of(service: RoutedService) -> list[dict[str, object]]:
    replicas = service.target.status()["replicas"]
    assert isinstance(replicas, list)
    return replicas


CHECKED = Tcp("server.test:80", keepalive="pin", check=Check(interval=1.0, rise=2, fall=3))


def test_checks_find_who_is_down_and_who_is_up_again(tcp: TcpWays, names: Names) -> None:
    one, two = tcp.server("one"), tcp.server("two")
    names.addresses = [one.at, two.at]
    service = tcp.target_of("alpha", CHECKED)
    assert states_of(service) == ["checking", "checking"]
    waits = tcp.connect(HEAD)
    assert service.queued == 1
    tcp.until(waits, HEAD)  # as soon as the first check has ended
    assert service.queued == 0
    tcp.hands.until(lambda: states_of(service) == ["ready", "ready"])
    live = tcp.connect(HEAD)
    tcp.until(live, HEAD)
    two.end()

    def later() -> list[object]:
        tcp.hands.advance(0.7)
        return states_of(service)

    tcp.hands.until(lambda: later() == ["ready", "down"])
    for client in (waits, live):
        client.sock.send(b"live ones stay")
        tcp.until(client, b"live ones stay")
    for _ in range(4):
        assert tcp.until(tcp.connect(HEAD), HEAD).startswith(b"one ")
    again = tcp.server("two", *two.at)
    tcp.hands.until(lambda: later() == ["ready", "ready"])
    one.end()
    again.end()
    tcp.hands.until(lambda: later() == ["down", "down"])
    lost = tcp.connect(HEAD)
    tcp.hands.pump([1.0] * 6)
    tcp.hands.until(lost.has_ended)
    assert parse_response(lost.data)[0].status == 503  # down is down


def test_checks_keep_a_name_in_use(tcp: TcpWays, names: Names) -> None:
    names.addresses = [tcp.server("alpha").at]
    tcp.target_of("alpha", CHECKED)
    for _ in range(100):
        tcp.hands.advance(RESOLVE_INTERVAL)
        tcp.hands.settle()
    assert names.asked == 101


def test_an_idle_tunnel_is_ended_and_the_log_says_why(tcp: TcpWays) -> None:
    server = tcp.server("alpha")
    tcp.target_of("alpha", Tcp("{}:{}".format(*server.at), keepalive="pin", tunnel_idle=30.0))
    client = tcp.connect(HEAD)
    tcp.until(client, HEAD)
    tcp.hands.pump([1.0] * 34)
    tcp.hands.until(client.has_ended)
    (line,) = tcp.logged.lines
    assert (line["ended"], line["why"], line["up"]) == ("cD", "idle", len(HEAD))


def test_a_numeric_address_is_not_asked_for(tcp: TcpWays, names: Names) -> None:
    tcp.target_of("alpha", Tcp("[::1]:80"))
    tcp.target_of("beta", Tcp("127.0.0.1:80"))
    assert names.asked == 0


def test_one_request_for_each_connection(tcp: TcpWays) -> None:
    server = tcp.server("alpha")
    tcp.target_of("alpha", Tcp("{}:{}".format(*server.at), keepalive="close"))
    head = b"POST /a/x HTTP/1.1\r\nHost: h\r\nConnection: keep-alive\r\nContent-Length: 4\r\n\r\n"
    client = tcp.connect(head + b"bo")
    client.sock.send(b"dy")
    tcp.until(client, b"body")
    expected = b"POST /a/x HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbody"
    assert client.data.partition(b"\n")[2] == expected


def test_more_than_the_tunnels_wait(tcp: TcpWays) -> None:
    server = tcp.server("alpha")
    service = tcp.target_of("alpha", Tcp("{}:{}".format(*server.at), keepalive="pin"), Limits(tunnels=2))
    first, second, third = (tcp.connect(HEAD) for _ in range(3))
    tcp.until(second, b"\r\n\r\n")
    assert service.queued == 1
    first.sock.close()
    tcp.until(third, b"\r\n\r\n")
    assert service.queued == 0


def test_an_attempt_that_fails_makes_room_too(tcp: TcpWays) -> None:
    service = tcp.target_of("alpha", Tcp(f"127.0.0.1:{refusing_port()}", keepalive="pin"), Limits(tunnels=1))
    clients = [tcp.connect(HEAD) for _ in range(3)]
    for client in clients:
        tcp.hands.until(client.has_ended)  # without anybody's time passing
        assert parse_response(client.data)[0].status == 502
    assert service.queued == 0


def test_without_a_descriptor_to_connect_with(tcp: TcpWays, monkeypatch: pytest.MonkeyPatch) -> None:
    server = tcp.server("alpha")
    service = tcp.target_of("alpha", Tcp("{}:{}".format(*server.at), keepalive="pin"), Limits(tunnels=1))

    def refuse(*args: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(connect_module, "RawSocket", refuse)
        client = tcp.connect(HEAD)
        tcp.hands.until(client.has_ended)
    assert parse_response(client.data)[0].status == 502
    assert open_of(service) == [0]
    tcp.until(tcp.connect(HEAD), b"\r\n\r\n")


def test_a_drain_waits_for_an_attempt(tcp: TcpWays) -> None:
    service = tcp.serve("alpha")
    client = tcp.connect(HEAD)
    done: list[None] = []
    service.target.stop().addCallback(done.append)
    assert done == []
    tcp.until(client, HEAD)
    assert done == []
    client.sock.close()
    tcp.hands.until(lambda: done)
