"""Services that say who they are and send everything back: by protocol, by an unmodified server, and as a page."""

import socketserver
import threading
from typing import Any

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory, Protocol
from twisted.web.http import Request

from .named import Named


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
        self.handlers: list[threading.Thread] = []
        super().__init__((host, port), EchoHandler)
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def at(self) -> tuple[str, int]:
        host, port = self.server_address[:2]
        return str(host), port

    def process_request(self, request: Any, client_address: Any) -> None:
        handler = threading.Thread(target=self.process_request_thread, args=(request, client_address), daemon=True)
        self.handlers.append(handler)
        handler.start()

    def end(self) -> None:
        """Nobody is accepted any more; what is connected goes on."""
        self.shutdown()
        self.server_close()

    def join(self) -> None:
        """Wait for the ends of all its connections, so that no descriptor is closed in the middle of the next test."""
        for handler in self.handlers:
            handler.join(10)
            assert not handler.is_alive(), "a connection to the server was left open"


class EchoHandler(socketserver.BaseRequestHandler):
    server: EchoThreads

    def handle(self) -> None:
        self.request.sendall("{} sees {} {}\n".format(self.server.name, *self.client_address).encode())
        try:
            while data := self.request.recv(65_536):
                self.request.sendall(data)
        except OSError:
            pass  # the tunnel was cut


class Page(Named):
    def render(self, request: Request) -> bytes:
        assert request.content is not None
        peer = request.getClientAddress()
        return b"%s %s %s %s" % (self.name.encode(), request.uri, peer.host.encode(), request.content.read())
