"""The router put together: what it listens to, its status, and the order in which it drains."""

import socket
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import msgspec
import pytest
from portico.application import Application
from portico.arrival import Address
from portico.config import parse
from portico.core.answers import QUEUE_DRAINED
from portico.targets.split import LAST_REQUESTS
from svckit.handoff.replica import HandoffReplica
from svckit.settings import Settings
from svckit.web import GuardedSite
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.web.resource import Resource

from .support.reactor import HandReactor
from .support.wires import Inbox, arrive, as_reactor, parse_response

CONFIG = """
listeners = [{address = "127.0.0.1:0"}, {address = "127.0.0.1:0"}]
routes = [{path = "/", service = "web"}, {prefix = "/api/", service = "api"}]

[services.web]
target = "handoff"
folder = "%s"

[services.api]
target = "tcp"
address = "127.0.0.1:9"
keepalive = "pin"

[admin]
address = "127.0.0.1:0"

[limits]
drain_time = 3.0
queue_timeout = 5.0
"""
HEAD = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"


class Page(Resource):
    isLeaf = True

    def render_GET(self, request: object) -> bytes:
        return b"a page"


class Deployed:
    """The application on a reactor that is turned by hand."""

    def __init__(self, reactor: HandReactor, folder: Path, config: str = CONFIG) -> None:
        self.reactor, self.folder = reactor, folder
        self.out = StringIO()
        self.application = Application(parse(config % folder), as_reactor(reactor))
        self.application.access._stream = self.out
        self.stopped: list[object] = []

    def start(self) -> None:
        self.application.privilegedStartService()
        self.application.startService()

    def stop(self) -> None:
        self.application.stopService().addCallback(self.stopped.append)

    def replica(self) -> HandoffReplica:
        settings = Settings(service="web", replica="one", state=self.folder, drain_time=3.0)
        replica = HandoffReplica(settings, GuardedSite(Page(), as_reactor(self.reactor)), self.folder, as_reactor(self.reactor))
        replica.startService()
        self.reactor.advance(0.2)
        self.reactor.settle()
        return replica

    def connect(self, data: bytes, listener: int = 0) -> Inbox:
        inbox = Inbox(socket.create_connection(self.application.addresses[listener], timeout=5))
        if data:
            inbox.sock.send(data)
        return inbox

    def ask(self, data: bytes, listener: int = 0) -> int:
        inbox = self.connect(data, listener)
        self.reactor.until(inbox.has_ended)
        inbox.sock.close()
        return parse_response(inbox.data)[0].status

    @property
    def admin(self) -> Address:
        assert self.application._admin is not None
        host = self.application._admin.getHost()
        return host.host, host.port  # type: ignore[attr-defined]

    @property
    def lines(self) -> list[dict[str, object]]:
        self.application.access.flush()
        return [msgspec.json.decode(line, type=dict[str, object]) for line in self.out.getvalue().splitlines()]


@pytest.fixture
def deployed(reactor: HandReactor, folder: Path) -> Iterator[Deployed]:
    deployed = Deployed(reactor, folder)
    deployed.start()
    yield deployed
    if deployed.application.running:
        deployed.stop()
    reactor.pump([1.0] * 10)
    reactor.settle()
    assert len(deployed.stopped) == 1
    reactor.pump([1.0] * 5)


def port_is_open(at: Address) -> bool:
    try:
        socket.create_connection(at, timeout=5).close()
    except ConnectionRefusedError:
        return False
    return True


def test_it_listens_where_it_is_told_and_routes(reactor: HandReactor, deployed: Deployed) -> None:
    assert len(set(deployed.application.addresses)) == 2
    assert deployed.ask(b"GET /none HTTP/1.1\r\nHost: h\r\n\r\n", 0) == 404
    assert deployed.ask(b"GET /api/x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", 1) == 502
    replica = deployed.replica()
    client = deployed.connect(HEAD)
    reactor.until(client.holds(b"a page"))
    client.sock.close()
    reactor.settle()
    reactor.until(lambda: len(deployed.lines) == 3)
    assert [line["service"] for line in deployed.lines] == [None, "api", "web"]
    replica.stopService()


def test_status(reactor: HandReactor, deployed: Deployed) -> None:
    replica = deployed.replica()
    deployed.ask(b"GET /none HTTP/1.1\r\nHost: h\r\n\r\n")
    partial = deployed.connect(b"GET /")
    reactor.until(lambda: deployed.application.status()["waiting"] == 1)
    status = deployed.application.status()
    assert status["listeners"] == ["{}:{}".format(*at) for at in deployed.application.addresses]
    assert status["draining"] is False
    assert status["counts"] == {"accepted": 2, "answered 404": 1}
    services = status["services"]
    assert isinstance(services, dict)
    assert list(services) == ["api", "web"]
    assert services["web"]["replicas"] == [
        {"replica": "one", "state": "ready", "open": 0, "capacity": services["web"]["replicas"][0]["capacity"]}
    ]
    assert services["web"]["queued"] == 0
    assert services["api"]["target"] == "tcp"
    assert msgspec.json.encode(status)
    partial.sock.close()
    replica.stopService()


def test_the_operators_port(reactor: HandReactor, deployed: Deployed) -> None:
    def fetch(path: str) -> tuple[int, bytes]:
        inbox = Inbox(socket.create_connection(deployed.admin, timeout=5))
        inbox.sock.send(f"GET {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n".encode())
        reactor.until(inbox.has_ended)
        response, body = parse_response(inbox.data)
        return response.status, body

    assert fetch("/healthz") == (200, b"alive\n")
    assert fetch("/readyz") == (200, b"ready\n")
    status, body = fetch("/status")
    assert status == 200
    assert msgspec.json.decode(body)["draining"] is False


def test_the_operators_port_drains(reactor: HandReactor, deployed: Deployed) -> None:
    replica = deployed.replica()

    def post(path: str) -> int:
        inbox = Inbox(socket.create_connection(deployed.admin, timeout=5))
        body = b'{"service": "web", "replica": "one"}'
        head = f"POST {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Type: application/json\r\n"
        inbox.sock.send(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        reactor.until(inbox.has_ended)
        return parse_response(inbox.data)[0].status

    assert post("/drain") == 200
    assert deployed.application.report().services["web"].replicas[0].state == "drained"
    assert post("/undrain") == 200
    assert deployed.application.report().services["web"].replicas[0].state == "ready"
    replica.stopService()
    reactor.settle()
    reactor.advance(0.2)
    assert post("/drain") == 404


def test_metrics_of_every_way_that_a_connection_goes(reactor: HandReactor, deployed: Deployed) -> None:
    replica = deployed.replica()
    server = socket.create_server(("127.0.0.1", 0))
    tunnelled = tunnel_to(deployed, server)
    client = deployed.connect(HEAD)
    reactor.until(client.holds(b"a page"))
    deployed.ask(b"GET /none HTTP/1.1\r\nHost: h\r\n\r\n")
    client.sock.send(b"GET /none HTTP/1.1\r\nHost: h\r\n\r\n")  # the service hands it back
    reactor.until(client.has_ended)
    before = deployed.application.report()
    assert [each.open for each in before.services["api"].replicas] == [1]
    tunnelled.sock.close()
    reactor.until(lambda: len(deployed.lines) == 4)

    reactor.advance(1)  # replicas tell their load now and then
    reactor.settle()
    admin = Inbox(socket.create_connection(deployed.admin, timeout=5))
    admin.sock.send(b"GET /metrics HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    reactor.until(admin.has_ended)
    page = parse_response(admin.data)[1].decode()
    samples = (line.rpartition(" ") for line in page.splitlines() if not line.startswith("#"))
    lines = {name: float(value) for name, _, value in samples}
    assert lines["portico_accepted_total"] == 3
    assert lines["portico_returned_total"] == 1
    assert lines['portico_connections_total{how="handed over",replica="one",route="=/",service="web"}'] == 1
    (api,) = deployed.application.report().services["api"].replicas
    tcp = f'replica="{api.replica}",route="/api/",service="api"}}'
    assert lines['portico_connections_total{how="tcp",' + tcp] == 1
    assert lines['portico_bytes_total{direction="up",' + tcp] > len("GET /api/")
    why = 'why="no service owns this path"'
    assert lines['portico_answers_total{route="",service="",status="404",' + why + "}"] == 2
    assert lines['portico_open{replica="one",service="web"}'] == 0
    assert lines['portico_queued{service="api"}'] == 0
    assert lines["portico_decision_seconds_count"] == 2
    assert lines["portico_handover_seconds_count"] == 1
    for sock in (client.sock, admin.sock, server):
        sock.close()
    replica.stopService()


def test_counts_of_what_is_there_are_kept(deployed: Deployed) -> None:
    replica = deployed.replica()
    present = deployed.application.access.measures.present()
    assert present.routes == {"=/", "/api/"}
    assert present.replicas == {("web", "one"), ("api", "127.0.0.1:9")}
    replica.stopService()


def test_without_an_operators_port(reactor: HandReactor, folder: Path) -> None:
    deployed = Deployed(reactor, folder, CONFIG.replace('[admin]\naddress = "127.0.0.1:0"', ""))
    deployed.start()
    assert deployed.ask(b"GET /none HTTP/1.1\r\nHost: h\r\n\r\n") == 404
    deployed.stop()
    assert len(deployed.stopped) == 1


def test_a_port_in_use_is_said_before_anything_starts(deployed: Deployed, reactor: HandReactor, folder: Path) -> None:
    taken = "{}:{}".format(*deployed.application.addresses[0])
    second = Deployed(reactor, folder, CONFIG.replace("127.0.0.1:0", taken, 1))
    with pytest.raises(OSError, match=f"cannot listen on {taken}: Address already in use"):
        second.application.privilegedStartService()


class Background(Service):
    """Ends when the test says so."""

    def __init__(self) -> None:
        self.asked = False
        self.done: Deferred[None] = Deferred()

    def stopService(self) -> "Deferred[None]":
        super().stopService()
        self.asked = True
        return self.done


def test_the_order_of_a_drain(reactor: HandReactor, deployed: Deployed) -> None:
    background = Background()
    background.setServiceParent(deployed.application)
    ports = deployed.application.addresses
    replica = deployed.replica()
    served = deployed.connect(HEAD)
    reactor.until(served.holds(b"a page"))
    partial = deployed.connect(b"GET /none HTTP/1.1\r\n")
    reactor.until(lambda: len(deployed.application.router.patience) == 1)
    server = socket.create_server(("127.0.0.1", 0))
    tunnelled = tunnel_to(deployed, server)

    deployed.stop()
    assert deployed.application.status()["draining"] is True
    assert not any(port_is_open(at) for at in ports)  # first the ports
    assert not background.asked  # the tunnel is still open, and services in this process may be needed
    assert deployed.stopped == []
    partial.sock.send(b"Host: h\r\n\r\n")  # what has begun is finished
    reactor.until(partial.has_ended)
    assert b" 404 " in partial.data
    tunnelled.sock.close()
    reactor.until(lambda: background.asked)
    assert deployed.stopped == []
    background.done.callback(None)
    reactor.until(lambda: deployed.stopped)
    assert not served.has_ended()  # what was handed over goes on without the router
    assert deployed.out.getvalue().count("\n") == len(deployed.lines)  # the last lines are written
    server.close()
    replica.stopService()
    served.sock.close()


def tunnel_to(deployed: Deployed, server: socket.socket) -> Inbox:
    """A live connection through the tcp target."""
    reactor = deployed.reactor
    target = deployed.application._services["api"].target
    target.replicas.found([server.getsockname()])  # type: ignore[attr-defined]
    client = deployed.connect(b"GET /api/x HTTP/1.1\r\nHost: h\r\n\r\n")
    server.settimeout(0)
    accepted: list[Inbox] = []

    def accept() -> bool:
        try:
            accepted.append(Inbox(server.accept()[0]))
        except BlockingIOError:
            return False
        return True

    reactor.until(accept)
    reactor.until(accepted[0].holds(b"\r\n\r\n"))
    return client


def test_a_kept_connection_finds_its_next_service_in_a_drain(reactor: HandReactor, deployed: Deployed) -> None:
    replica = deployed.replica()
    server = socket.create_server(("127.0.0.1", 0))
    tunnelled = tunnel_to(deployed, server)
    deployed.stop()
    reactor.settle()
    client, arrival = arrive(HEAD, returned=True)  # as from another service
    deployed.application.router.readmit(arrival)
    late = Inbox(client)
    reactor.until(late.holds(b"a page"))
    tunnelled.sock.close()
    reactor.until(lambda: deployed.stopped)
    for sock in (late.sock, server):
        sock.close()
    replica.stopService()


def test_a_drain_closes_idle_connections_soon(reactor: HandReactor, deployed: Deployed) -> None:
    replica = deployed.replica()
    client = deployed.connect(HEAD)
    reactor.until(client.holds(b"a page"))
    replica.stopService()  # hands the idle connection back
    reactor.until(lambda: deployed.application.router.counts["returned"] == 1)
    assert not client.has_ended()
    deployed.stop()
    reactor.settle()
    assert not client.has_ended()  # its next request may be on its way
    reactor.advance(LAST_REQUESTS)
    reactor.until(client.has_ended)
    reactor.until(lambda: deployed.stopped)


def test_a_request_that_an_idle_connection_makes_in_a_drain_is_answered(reactor: HandReactor, deployed: Deployed) -> None:
    replica, other = deployed.replica(), socket.create_server(("127.0.0.1", 0))
    tunnelled = tunnel_to(deployed, other)  # a tcp service is not stopped before what is undecided has come to it
    first, idle = deployed.connect(HEAD), arrive(returned=True)
    deployed.application.router.readmit(idle[1])
    reactor.until(first.holds(b"a page"))
    deployed.stop()
    tunnelled.sock.close()
    reactor.settle()
    reactor.advance(LAST_REQUESTS - 0.1)
    asked = Inbox(idle[0])
    asked.sock.send(b"GET /api/y HTTP/1.1\r\nHost: h\r\n\r\n")
    reactor.settle()
    other.settimeout(10)
    server = Inbox(other.accept()[0])
    reactor.until(server.holds(b"GET /api/y"))
    assert deployed.stopped == []
    server.sock.send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nserved")
    reactor.until(asked.holds(b"served"))
    for inbox in (server, asked):
        inbox.sock.close()
    reactor.until(lambda: deployed.stopped)
    for sock in (first.sock, other):
        sock.close()
    replica.stopService()


def test_a_request_that_stays_half_is_answered_at_half_of_the_drain_time(reactor: HandReactor, deployed: Deployed) -> None:
    partial = deployed.connect(b"GET /none HTTP/1.1\r\n")
    reactor.until(lambda: len(deployed.application.router.patience) == 1)
    deployed.stop()
    reactor.advance(1.4)
    assert not partial.has_ended()
    reactor.advance(0.1)
    reactor.until(partial.has_ended)
    assert b" 408 " in partial.data
    reactor.until(lambda: deployed.stopped)
    partial.sock.close()


def test_a_drain_answers_those_that_wait_for_a_replica(reactor: HandReactor, deployed: Deployed) -> None:
    client = deployed.connect(HEAD)
    reactor.until(lambda: deployed.application._services["web"].queued == 1)
    deployed.stop()
    reactor.until(client.has_ended)
    assert client.data == QUEUE_DRAINED.wire
    reactor.until(lambda: deployed.stopped)
    assert [line["status"] for line in deployed.lines] == [503]


def test_a_drain_cuts_what_does_not_end_in_time(reactor: HandReactor, deployed: Deployed) -> None:
    server = socket.create_server(("127.0.0.1", 0))
    client = tunnel_to(deployed, server)
    deployed.stop()
    reactor.advance(2.9)
    assert not client.has_ended()
    assert deployed.stopped == []
    reactor.advance(0.2)
    reactor.until(client.has_ended)
    reactor.until(lambda: deployed.stopped)
    server.close()
