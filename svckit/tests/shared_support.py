"""One connection to an asyncio server that shares it, the server played by the test."""

import asyncio
import functools
import socket
from typing import Any

from aio_support import Client, Stage, settle, until
from handoff_support import CLIENT, LISTENER, PlayedRouter
from svckit.handoff.aio.accepted import Accepted
from svckit.handoff.aio.shared import SharedHttp
from svckit.handoff.codec import Connection, Taken, Tls

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def get(path: str, *fields: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: x", *fields, "", ""]).encode()


class Server(asyncio.Protocol):
    """Writes down what it is given and answers when the test says."""

    def __init__(self) -> None:
        self.received = b""
        self.lost: list[object] = []
        self.paused = False
        self.answer = b""
        """Said at once to everything."""
        self.raises: Exception | None = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        if self.raises:
            raise self.raises

    def data_received(self, data: bytes) -> None:
        self.received += data
        if self.raises:
            raise self.raises
        if self.answer:
            self.transport.write(self.answer)

    def pause_writing(self) -> None:
        self.paused = True

    def resume_writing(self) -> None:
        self.paused = False

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.append(exc)
        self.transport.close()  # as uvicorn does


class Scene:
    """One connection, served by the played server."""

    def __init__(self, stage: Stage, router: PlayedRouter, client: Client, server: Server) -> None:
        self.stage, self.router, self.client, self.server = stage, router, client, server
        self.goodbyes: list[object] = []
        self.shared: Any = None

    async def given(self, data: bytes) -> None:
        """The server gets exactly this."""
        await until(lambda: len(self.server.received) >= len(data))
        await settle()
        assert self.server.received == data
        self.server.received = b""

    async def answered(self, answer: bytes = OK) -> None:
        self.server.transport.write(answer)
        await self.client.expect(answer)

    async def once(self) -> None:
        """A first exchange, so that the connection may go elsewhere."""
        await self.given(get("/a/1"))
        await self.answered()

    async def given_back(self) -> tuple[bytes, socket.socket]:
        message, sock = await self.stage.given_back(self.router)
        assert len(self.server.lost) == 1
        return message.unread, sock


async def begin(stage: Stage, preface: bytes = b"", server: Server | None = None, tls: Tls | None = None) -> Scene:
    made = server or Server()
    tasks: list[asyncio.Task[tuple[asyncio.Transport, SharedHttp]]] = []

    def serve(accepted: Accepted) -> None:
        factory = functools.partial(
            SharedHttp, accepted, stage.replica.ownership, lambda: made, lambda p: scene.goodbyes.append(p)
        )
        tasks.append(asyncio.create_task(asyncio.get_running_loop().connect_accepted_socket(factory, accepted.sock)))

    stage.serve = serve
    router = await stage.router()
    client, accepted = stage.pair()
    scene = Scene(stage, router, client, made)
    router.number = 1
    router.say(Connection(1, CLIENT, LISTENER, preface, tls), accepted.fileno())
    await stage.hear(router, Taken)
    accepted.close()
    await until(lambda: tasks and tasks[0].done())
    scene.shared = tasks[0].result()[1]
    return scene
