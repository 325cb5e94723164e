"""A whole application on a reactor that is turned by hand, its services beside it: replicas, servers, or in the process."""

from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import cast

import msgspec
import pytest
from portico import assembly
from portico.application import Application
from portico.arrival import Address
from portico.config import Config, parse
from svckit.entry import ServiceParts
from svckit.handoff.replica import HandoffReplica
from svckit.settings import Settings
from svckit.web import GuardedSite
from twisted.internet import tcp
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.web.http import Request

from .named import Named
from .reactor import HandReactor
from .wires import Inbox, as_reactor

__all__ = ["KINDS", "Deployment", "Page", "request"]

Internet = IPv4Address | IPv6Address
KINDS = ("handoff", "in-process", "tcp")


def request(path: str, **fields: str) -> bytes:
    """A GET request."""
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
    return f"GET {path} HTTP/1.1\r\nHost: one.example\r\n{lines}\r\n".encode()


class Page(Named):
    """Says who answers, what it was asked, and whom it sees."""

    def render(self, request: Request) -> bytes:
        assert request.transport is not None
        peer = cast(Internet, request.transport.getPeer())
        host = cast(Internet, request.transport.getHost())
        forwarded = request.getHeader("x-forwarded-for"), request.getHeader("x-forwarded-proto")
        words = (self.name, request.uri.decode(), peer.host, peer.port, host.port, request.isSecure(), *forwarded)
        assert request.content is not None
        body = request.content.read()
        return (" ".join(map(str, words)) + f" {len(body)}.").encode()


class Deployment:
    """The application and what it leads to."""

    def __init__(self, reactor: HandReactor, folder: Path, config: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """`config` may contain `FOLDER`. With kind `in-process` the handoff services run in this process."""
        self.reactor, self.folder = reactor, folder
        self.made: list[str] = []
        """In-process services, in the order in which they were made."""
        monkeypatch.setattr(assembly, "find", lambda name: ServiceParts(self._factory, None))
        self.out = StringIO()
        state = folder / "state" if kind == "in-process" else None
        self.application = Application(self.parsed(config), as_reactor(reactor), state)
        self.application.access._stream = self.out
        self._replicas: list[HandoffReplica] = []
        self._servers: list[tcp.Port] = []
        self.stopped: list[object] = []

    def parsed(self, config: str) -> Config:
        return parse(config.replace("FOLDER", str(self.folder)))

    def _factory(self, settings: Settings, reactor: object) -> GuardedSite:
        name = str(settings.options.get("called", settings.service))
        self.made.append(name)
        return GuardedSite(Page(name), as_reactor(self.reactor))

    def start(self) -> None:
        self.application.privilegedStartService()
        self.application.startService()

    def reload(self, config: str) -> None:
        self.application.reload(self.parsed(config))

    def stop(self) -> None:
        self.application.stopService().addCallback(self.stopped.append)

    # -- what is behind it

    def replica(self, service: str, called: str | None = None, replica: str = "one") -> HandoffReplica:
        """A replica of `service`, linked."""
        settings = Settings(service=service, replica=replica, state=self.folder, drain_time=3.0)
        site = GuardedSite(Page(called or service), as_reactor(self.reactor))
        made = HandoffReplica(settings, site, self.folder / service, as_reactor(self.reactor))
        made.startService()
        self._replicas.append(made)
        self.look()
        return made

    def look(self) -> None:
        """Time for the router to look into the folders."""
        self.reactor.settle()
        self.reactor.advance(0.2)
        self.reactor.settle()

    def server(self, called: str) -> Address:
        """An unmodified server."""
        site = GuardedSite(Page(called), as_reactor(self.reactor))
        port = self.reactor.listenTCP(0, site, interface="127.0.0.1")
        self._servers.append(port)
        return "127.0.0.1", port.getHost().port

    # -- what is before it

    def ask(self, inbox: Inbox, path: str, **fields: str) -> str:
        """Ask on a kept connection; the body."""
        inbox.data = b""
        inbox.sock.send(request(path, **fields))
        self.reactor.until(lambda: inbox.has_ended() or inbox.data.endswith(b"."))
        return inbox.data.partition(b"\r\n\r\n")[2].decode()

    @property
    def lines(self) -> list[dict[str, object]]:
        """The access log."""
        self.application.access.flush()
        return [msgspec.json.decode(line, type=dict[str, object]) for line in self.out.getvalue().splitlines()]

    def end(self) -> None:
        """Drain all, whatever it takes."""
        if not self.stopped:
            self.stop()
        for replica in self._replicas:
            replica.stopService()
        for _ in range(20):
            self.reactor.settle()
            self.reactor.advance(1.0)
        for port in self._servers:
            port.stopListening()
        self.reactor.settle()
        assert len(self.stopped) == 1


@contextmanager
def deployed(
    reactor: HandReactor, folder: Path, config: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Deployment]:
    """One that has been started, and is ended."""
    made = Deployment(reactor, folder, config, kind, monkeypatch)
    made.start()
    yield made
    made.end()
    assert len(made.application._poller) == 0, "the router still watches something"
    places = made.application.router.places
    assert (places.held, places._clients) == (0, {}), "a connection is still counted"
