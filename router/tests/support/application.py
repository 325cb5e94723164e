"""A router put together, with services in its process and elsewhere."""

import socket
from io import StringIO
from pathlib import Path

import msgspec
from portico.application import Application
from portico.arrival import Address
from portico.config import parse
from svckit.handoff.replica import HandoffReplica
from svckit.settings import Settings
from svckit.web import GuardedSite
from twisted.web.resource import Resource

from .reactor import HandReactor
from .wires import Inbox, as_reactor, parse_response

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
        host = self.application._operators[0].getHost()
        return host.host, host.port  # type: ignore[attr-defined]

    @property
    def lines(self) -> list[dict[str, object]]:
        self.application.access.flush()
        return [msgspec.json.decode(line, type=dict[str, object]) for line in self.out.getvalue().splitlines()]


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
