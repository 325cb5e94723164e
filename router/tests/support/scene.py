"""A router with everything around it, and ways to spoil a connection."""

import contextlib
import socket
from io import StringIO

import msgspec
import pytest
from portico.application import Application
from portico.config import parse

from .reactor import HandReactor
from .wires import Inbox, as_reactor

CONFIG = """
listeners = [{address = "127.0.0.1:0"}]
routes = [
    {prefix = "/split/", service = "split"}, {prefix = "/pin/", service = "pin"}, {prefix = "/none/", service = "none"},
    {prefix = "/tls/", redirect = "https"}, {prefix = "/one/", service = "one"},
]
services.split = {target = "tcp", address = "SERVER", connect_timeout = 3.0, answer_timeout = 20, exchange_idle = 30}
services.pin = {target = "tcp", address = "SERVER", keepalive = "pin", tunnel_idle = 60}
services.one = {target = "tcp", address = "SERVER", capacity = 1}
services.none = {target = "handoff", folder = "/nonexistent"}
limits = {queue_size = 1, drain_time = 1.0}
"""
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Scene:
    """A router and the one server that it knows."""

    def __init__(self, reactor: HandReactor, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reactor, self.monkeypatch = reactor, monkeypatch
        self.out = StringIO()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=0)
        self._listener.setblocking(False)
        self._sockets = [self._listener]
        at = "{}:{}".format(*self._listener.getsockname())
        self.application = Application(parse(CONFIG.replace("SERVER", at)), as_reactor(reactor))
        self.application.access._stream = self.out
        self.application.privilegedStartService()
        self.application.startService()
        self._drained: list[object] = []

    def client(self, wire: bytes) -> Inbox:
        """A client that has sent `wire`."""
        sock = socket.create_connection(self.application.addresses[0], timeout=5)
        self._sockets.append(sock)
        sock.sendall(wire)
        self.reactor.settle()
        return Inbox(sock)

    def ask(self, path: str = "/split/") -> Inbox:
        return self.client(f"GET {path} HTTP/1.1\r\nHost: h\r\n\r\n".encode())

    def server(self) -> Inbox:
        """The server's end of the next connection to it."""
        came: list[socket.socket] = []

        def accepted() -> bool:
            try:
                came.append(self._listener.accept()[0])
            except BlockingIOError:
                return False
            return True

        self.reactor.until(accepted)
        self._sockets += came
        return Inbox(came[0])

    def asked(self, path: str = "/split/") -> tuple[Inbox, Inbox]:
        """A client whose request has reached the server."""
        client = self.ask(path)
        server = self.server()
        self.reactor.until(server.holds(b"\r\n\r\n"))
        return client, server

    def begun(self, path: str = "/split/") -> tuple[Inbox, Inbox]:
        """A client that has the beginning of its answer."""
        client, server = self.asked(path)
        server.sock.send(ANSWER.replace(b"2", b"9"))
        self.reactor.until(client.holds(b"ok"))
        return client, server

    def answered(self) -> Inbox:
        """A client that has its answer."""
        client, server = self.asked()
        server.sock.send(ANSWER)
        self.reactor.until(client.holds(b"ok"))
        self.reactor.settle()
        return client

    def flushing(self) -> Inbox:
        """A client that does not read the end of an answer which the server has finished."""
        client, server = self.asked()
        (session,) = self.application._services["split"].target._split._sessions  # type: ignore[attr-defined]
        session.arrival.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_608)
        server.sock.setblocking(False)
        rest = memoryview(b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + b"x" * 200_000)

        def finished() -> bool:
            nonlocal rest
            with contextlib.suppress(BlockingIOError):
                if rest:
                    rest = rest[server.sock.send(rest) :]
                else:
                    client.sock.recv(4_096)
            return session._backend is None

        self.reactor.until(finished)
        assert session.down.held
        return client

    def fill(self) -> None:
        """The server's queue is full: it neither accepts nor refuses."""
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(self._listener.getsockname())
            self._sockets.append(filler)

    def refuse(self) -> None:
        """The server is gone."""
        self._listener.close()

    def drain(self, *times: float) -> None:
        """The router ends; then the time goes on."""
        self.application.stopService().addCallback(self._drained.append)
        self.reactor.pump(times)
        self.reactor.settle()

    @property
    def ended(self) -> list[object]:
        self.reactor.settle()
        self.application.access.flush()
        lines = (msgspec.json.decode(line, type=dict[str, object]) for line in self.out.getvalue().splitlines())
        return [line["ended"] for line in lines]

    def close(self) -> None:
        for sock in self._sockets:
            sock.close()
        if not self._drained:
            self.drain()
        for _ in range(20):
            self.reactor.settle()
            self.reactor.advance(1.0)
        assert self._drained
