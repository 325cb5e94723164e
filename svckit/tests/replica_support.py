"""A replica that serves a guarded site, with routers and clients that the test plays."""

import socket
from pathlib import Path
from typing import Any

from handoff_support import FakeReactor, PlayedRouter, tcp_pair
from svckit.handoff.codec import Taken
from svckit.handoff.replica import HandoffReplica
from svckit.handoff.socketfile import connect
from svckit.settings import Settings
from svckit.web import GuardedSite
from twisted.internet.interfaces import IProtocolFactory
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

DRAIN_TIME = 20.0
PATTERNS = (("/a/", True), ("/b/", False))
BIG = b"0123456789abcdef" * 300_000


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


class Pages(Resource):
    """`/a/slow` waits for the test, `/a/big` is more than the kernel takes at once."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[bytes] = []
        self.slow: list[Request] = []

    def render(self, request: Request) -> bytes | int:
        self.seen.append(request.path)
        if request.path == b"/a/slow":
            self.slow.append(request)
            return NOT_DONE_YET
        return BIG if request.path == b"/a/big" else b"<%s>" % request.path


class Stage:
    """The replica, its routers and its clients."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.reactor, self.pages = folder, FakeReactor(), Pages()
        self.routers: list[PlayedRouter] = []
        self.sockets: list[socket.socket] = []
        self.drained: list[object] = []
        self.start(GuardedSite(self.pages, self.reactor))

    def start(self, factory: IProtocolFactory) -> None:
        settings = Settings(service="static", replica="a-1", state=self.folder / "state", drain_time=DRAIN_TIME)
        self.replica = HandoffReplica(settings, factory, self.folder, self.reactor)  # type: ignore[arg-type]
        self.replica.startService()

    def router(self, welcome: bool = True) -> PlayedRouter:
        """A new router, linked."""
        made = PlayedRouter(connect(self.replica.path))
        self.routers.append(made)
        self.reactor.settle()
        if welcome:
            made.hear()
            made.welcome(*PATTERNS)
            self.reactor.settle()
        return made

    def connection(self) -> tuple[socket.socket, socket.socket]:
        """The client's end, and the router's copy of the accepted one."""
        pair = tcp_pair()
        self.sockets += pair
        return pair

    def hand(self, router: PlayedRouter, unread: bytes) -> socket.socket:
        """As a router does it all: hand over, hear TAKEN, close its own copy. Returns the client's end."""
        client, accepted = self.connection()
        number = router.hand(accepted, unread)
        self.reactor.settle()
        heard = router.hear()
        assert number in [each.number for each in heard if isinstance(each, Taken)]
        router.unheard = [each for each in heard if not isinstance(each, Taken)]
        accepted.close()
        return client

    def ask(self, client: socket.socket, request: bytes, answer: bytes) -> None:
        client.send(request)
        self.expect(client, answer)

    def expect(self, client: socket.socket, answer: bytes) -> None:
        """The client reads until `answer` ends what it got."""
        client.setblocking(False)
        received = b""

        def arrived() -> bool:
            nonlocal received
            try:
                received += client.recv(1 << 20)
            except BlockingIOError:
                return False
            return received.endswith(answer)

        self.reactor.until(arrived)
        client.settimeout(10)

    def hear(self, router: PlayedRouter, kind: type) -> list[Any]:
        """Turn until a message of that kind was said; those of it."""
        heard: list[Any] = []

        def arrived() -> bool:
            nonlocal heard
            heard += [each for each in router.hear() if isinstance(each, kind)]
            return bool(heard)

        self.reactor.until(arrived)
        return heard

    def stop(self) -> None:
        self.replica.stopService().addCallback(self.drained.append)
        self.reactor.settle()

    def clear(self) -> None:
        if self.replica.running:
            self.stop()
        for router in self.routers:
            router.die()
        for sock in self.sockets:
            sock.close()
        for _ in range(3):
            self.reactor.settle()
            self.reactor.advance(DRAIN_TIME)
        self.reactor.settle()
        assert self.drained == [None]
