"""What the tests of the asyncio replica share: a loop for each test, a replica, and routers and clients played by hand."""

import asyncio
import functools
import inspect
import socket
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from handoff_support import PATIENCE, PlayedRouter, tcp_pair
from svckit.handoff.aio.accepted import Accepted
from svckit.handoff.aio.replica import Replica
from svckit.handoff.codec import Connection, Message, Taken
from svckit.handoff.socketfile import connect

from tests.support.descriptors import no_descriptor_leaks

PATTERNS = (("/a/", True), ("/b/", False))


async def until(reached: Callable[[], Any]) -> Any:
    """Let the loop turn until `reached()` is true; what it gave."""
    end = time.monotonic() + PATIENCE
    while not (found := reached()):
        assert time.monotonic() < end, "it did not happen"
        await asyncio.sleep(0.001)
    return found


def packet_of(sock: socket.socket) -> tuple[bytes] | None:
    """What has come on a link, if anything has."""
    try:
        return (sock.recv(1 << 17),)
    except BlockingIOError:
        return None


async def settle() -> None:
    """Let everything happen that is to happen now."""
    for _ in range(20):
        await asyncio.sleep(0)


class Client:
    """The client's end of a connection that the test hands over."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.sock = sock
        self.received = b""
        self.ended = False

    def send(self, data: bytes) -> None:
        assert self.sock.send(data) == len(data)

    def read(self) -> bytes:
        """All that has come."""
        try:
            while not self.ended:
                data = self.sock.recv(1 << 20)
                self.received += data
                self.ended = not data
        except BlockingIOError:
            pass
        except ConnectionResetError:
            self.ended = True
        return self.received

    async def expect(self, answer: bytes) -> None:
        """Read until `answer` ends what has come; forgets all that has come."""
        await until(lambda: self.read().endswith(answer))
        self.received = b""

    async def end(self) -> bytes:
        """Read to the end; what came."""
        await until(lambda: (self.read(), self.ended)[1])
        return self.received

    def hears_nothing(self) -> bool:
        return not self.read() and not self.ended


class Stage:
    """A replica, its routers and its clients. `serve` is asked for each connection; without one they are just kept."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.accepted: list[Accepted] = []
        self.serve: Callable[[Accepted], None] = lambda accepted: None
        self.replica = Replica("static", "a-1", folder, self._serve)
        self.routers: list[PlayedRouter] = []
        self.sockets: list[socket.socket] = []

    def _serve(self, accepted: Accepted) -> None:
        self.accepted.append(accepted)
        self.serve(accepted)

    async def router(self, *patterns: tuple[str, bool], welcome: bool = True) -> PlayedRouter:
        """A new router, linked."""
        made = PlayedRouter(connect(self.replica.path))
        self.routers.append(made)
        made.unheard = await until(made.hear)
        if welcome:
            made.hear()
            made.welcome(*(patterns or PATTERNS))
            await settle()
        return made

    def pair(self) -> tuple[Client, socket.socket]:
        """The client, and the router's copy of the accepted socket."""
        client, accepted = tcp_pair()
        self.sockets += client, accepted
        return Client(client), accepted

    async def hand(self, router: PlayedRouter, unread: bytes = b"") -> Client:
        """As a router does it all: hand over, hear TAKEN, close its own copy."""
        client, accepted = self.pair()
        number = router.hand(accepted, unread)
        await self.hear(router, Taken, lambda taken: taken.number == number)
        accepted.close()
        return client

    async def hear(self, router: PlayedRouter, kind: type, fits: Callable[[Any], bool] = lambda message: True) -> Any:
        """The next message of that kind; what else is said is forgotten."""
        heard: list[Message] = []

        def arrived() -> list[Message]:  # a message without fields counts as false
            heard.extend(router.hear())
            return [each for each in heard if isinstance(each, kind) and fits(each)]

        found = (await until(arrived))[0]
        router.unheard = heard[heard.index(found) + 1 :]
        return found

    async def given_back(self, router: PlayedRouter) -> tuple[Connection, socket.socket]:
        """The next connection that comes back, and its socket; it is taken."""
        message = await self.hear(router, Connection)
        router.take(message.number)
        await settle()
        sock = router.returned.pop(0)
        self.sockets.append(sock)
        return message, sock

    async def clear(self) -> None:
        for accepted in list(self.replica._open):
            accepted.cut()
        self.replica.close()
        await settle()
        for accepted in list(self.replica._open):
            accepted.ended()
            accepted.sock.close()
        for router in self.routers:
            router.die()
        for sock in self.sockets:
            sock.close()
        self.replica.close()


def on_stage(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """A test with a started replica in a loop of its own; no descriptor more is open at its end."""

    @functools.wraps(test)
    def run(folder: Path, **others: Any) -> None:
        async def play() -> None:
            stage = Stage(folder)
            stage.replica.start()
            try:
                await test(stage, **others)
            finally:
                await stage.clear()

        with no_descriptor_leaks():
            asyncio.run(play())

    _, *others = inspect.signature(test).parameters.values()
    first = inspect.Parameter("folder", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    run.__signature__ = inspect.Signature([first, *others])  # type: ignore[attr-defined]
    return run
