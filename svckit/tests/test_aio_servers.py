"""uvicorn and aiohttp with connections that a played router hands over."""

import asyncio
import functools
import itertools
import socket
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from aio_servers_support import BIG, SERVERS, events
from aio_support import Client, Stage, on_stage, until
from handoff_support import CLIENT, LISTENER, PlayedRouter
from svckit.handoff.aio.accepted import Accepted
from svckit.handoff.aio.aiohttp import load
from svckit.handoff.aio.asgi import AsgiServer
from svckit.handoff.aio.run import Server, _connect
from svckit.handoff.codec import Connection, Taken, Tls
from svckit.settings import BadOptions


@pytest.fixture(params=SERVERS)
def make_server(request: pytest.FixtureRequest) -> Callable[[Path], Server]:
    return SERVERS[request.param]


class Scene:
    """A server behind the replica, and one router."""

    def __init__(self, stage: Stage, router: PlayedRouter) -> None:
        self.stage, self.router = stage, router
        self.numbers = itertools.count(1)

    async def hand(self, unread: bytes, tls: Tls | None = None) -> Client:
        client, accepted = self.stage.pair()
        await self.pass_on(accepted, unread, tls)
        accepted.close()
        return client

    async def pass_on(self, sock: socket.socket, unread: bytes, tls: Tls | None = None) -> None:
        number = next(self.numbers)
        self.router.say(Connection(number, CLIENT, LISTENER, unread, tls), sock.fileno())
        await self.stage.hear(self.router, Taken, lambda taken: taken.number == number)


@asynccontextmanager
async def serving(stage: Stage, make_server: Callable[[Path], Server]) -> Any:
    with tempfile.TemporaryDirectory() as files:
        server = make_server(Path(files))
        await server.start()
        tasks: list[asyncio.Task[None]] = []

        def serve(accepted: Accepted) -> None:
            tasks.append(asyncio.create_task(_connect(accepted, stage.replica, server)))

        stage.serve = serve
        scene = Scene(stage, await stage.router())
        try:
            yield scene
        finally:
            for accepted in list(stage.replica._open):
                accepted.cut()
            await asyncio.gather(*tasks)
            await until(lambda: not len(stage.replica))
            await server.stop()


def with_server(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    @functools.wraps(test)
    async def play(stage: Stage, make_server: Callable[[Path], Server]) -> None:
        events.clear()
        async with serving(stage, make_server) as scene:
            await test(scene)

    del play.__wrapped__
    return on_stage(play)


def get(path: str, *fields: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: x", *fields, "", ""]).encode()


UPGRADE = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13")
KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="


def frame(opcode: int, payload: bytes) -> bytes:
    """A client's, with a mask of zeros."""
    return bytes((0x80 | opcode, 0x80 | len(payload))) + bytes(4) + payload


def told(scheme: str, path: str, size: int = 0) -> bytes:
    return f"{scheme} {CLIENT[0]}:{CLIENT[1]} {LISTENER[0]}:{LISTENER[1]} {path} {size}".encode()


async def hears(client: Client, part: bytes) -> None:
    await until(lambda: part in client.read())


@with_server
async def test_requests_on_one_connection_and_then_away(scene: Scene) -> None:
    client = await scene.hand(get("/a/1"))
    await hears(client, told("http", "/a/1"))
    client.send(b"POST /a/2 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n" + get("/a/3"))
    await hears(client, told("http", "/a/2", 4))
    await hears(client, told("http", "/a/3"))
    client.received = b""
    client.send(get("/b/4"))
    message, sock = await scene.stage.given_back(scene.router)
    assert message.unread == get("/b/4")
    sock.send(b"from another service")
    await client.expect(b"from another service")


@with_server
async def test_forty_requests_for_two_services_sent_at_once(scene: Scene) -> None:
    """After each answer the connection goes back, and comes again with what was not answered."""
    client = await scene.hand((get("/a/x") + get("/b/x")) * 20)
    for _ in range(20):
        message, sock = await scene.stage.given_back(scene.router)
        assert message.unread.startswith(get("/b/x"))
        await hears(client, told("http", "/a/x"))
        client.received = b""
        rest = message.unread.removeprefix(get("/b/x"))
        if rest:
            await scene.pass_on(sock, rest)
        sock.close()
    assert await client.end() == b""


@with_server
async def test_where_the_router_has_ended_tls_it_is_https(scene: Scene) -> None:
    tls = Tls("a.example", "http/1.1")
    client = await scene.hand(get("/a/1"), tls)
    await hears(client, told("https", "/a/1"))
    client.send(get("/b/2"))
    message, _ = await scene.stage.given_back(scene.router)
    assert message.tls == tls


@with_server
async def test_a_large_answer(scene: Scene) -> None:
    client = await scene.hand(get("/a/big") + get("/a/2"))
    await hears(client, told("http", "/a/2"))
    assert len(client.received) > len(BIG)


@with_server
async def test_connection_close_closes(scene: Scene) -> None:
    client = await scene.hand(get("/a/1", "Connection: close") + get("/a/2"))
    answer = await client.end()
    assert answer.count(b"HTTP/1.1 200") == 1
    assert told("http", "/a/1") in answer


@with_server
async def test_a_client_that_has_ended_its_side_gets_its_answers(scene: Scene) -> None:
    client = await scene.hand(get("/a/1") + get("/a/2"))
    client.sock.shutdown(1)
    answer = await client.end()
    assert told("http", "/a/1") in answer
    assert told("http", "/a/2") in answer


@pytest.mark.parametrize("tls", [None, Tls("", "")])
@on_stage
async def test_a_websocket_to_the_end_of_the_drain_time(
    stage: Stage, make_server: Callable[[Path], Server], tls: Tls | None
) -> None:
    async with serving(stage, make_server) as scene:
        client = await scene.hand(get("/a/ws", *UPGRADE, KEY), tls)
        await hears(client, b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        idle = await scene.hand(get("/a/1"))
        await hears(idle, b"/a/1")
        client.received = b""
        for accepted in list(stage.replica._open):
            accepted.on_drain()
        assert (await stage.given_back(scene.router))[0].unread == b""
        client.send(frame(1, b"hello"))
        await hears(client, b"ws hello" if tls is None else b"wss hello")
        client.received = b""
        for accepted in list(stage.replica._open):
            accepted.on_expire()
        await hears(client, b"\x88")
        code = int.from_bytes(client.received[2:4], "big")
        assert code in (1001, 1012)
        client.send(frame(8, code.to_bytes(2, "big")))
        await client.end()


def test_after_it_the_application_was_told(make_server: Callable[[Path], Server], folder: Path) -> None:
    async def play() -> None:
        events.clear()
        server = make_server(folder)
        await server.start()
        await server.stop()

    asyncio.run(play())
    assert events in (["cleanup"], ["lifespan.startup", "lifespan.shutdown"])


def test_an_application_that_fails_to_start_is_told() -> None:
    async def broken(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "for the test"})

    with pytest.raises(OSError, match="failed to start"):
        asyncio.run(AsgiServer(uvicorn.Config(broken, lifespan="on", log_config=None)).start())


@pytest.mark.parametrize("name", ["no_such_module:app", "json:no_such_name", "json:dumps", "json", "json:decoder"])
def test_what_is_no_aiohttp_application_is_refused(name: str) -> None:
    with pytest.raises(BadOptions):
        load(name)
