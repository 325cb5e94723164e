"""uvicorn and aiohttp, each with an application that says what it was asked."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvicorn
from aiohttp import web
from svckit.handoff.aio.aiohttp import AiohttpServer
from svckit.handoff.aio.asgi import AsgiServer
from svckit.handoff.aio.run import Server

BIG = bytes(range(256)) * 4096


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """An ASGI application: says what it was asked; a WebSocket's texts come back."""
    if scope["type"] == "lifespan":
        for _ in range(2):
            message = await receive()
            events.append(message["type"])
            await send({"type": message["type"] + ".complete"})
        return
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] != "websocket.disconnect":
            await send({"type": "websocket.send", "text": f"{scope['scheme']} {message['text']}"})
        return
    body = b""
    while (message := await receive())["type"] == "http.request":
        body += message["body"]
        if not message.get("more_body"):
            break
    if scope["path"] == "/a/big":
        out = BIG
    else:
        client, server = scope["client"], scope["server"]
        out = f"{scope['scheme']} {client[0]}:{client[1]} {server[0]}:{server[1]} {scope['path']} {len(body)}".encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})  # chunked
    await send({"type": "http.response.body", "body": out})


def aiohttp_echo() -> web.Application:
    """The same for aiohttp; /a/big is a file."""

    async def answer(request: web.Request) -> web.StreamResponse:
        body, transport = await request.read(), request.transport
        assert transport is not None
        host, port = transport.get_extra_info("peername")
        listener = transport.get_extra_info("sockname")
        text = f"{request.scheme} {host}:{port} {listener[0]}:{listener[1]} {request.path} {len(body)}"
        assert request.remote == host
        return web.Response(text=text)

    async def big(request: web.Request) -> web.StreamResponse:
        return web.FileResponse(request.app[FILE])

    async def socket(request: web.Request) -> web.StreamResponse:
        response = web.WebSocketResponse()
        await response.prepare(request)
        async for message in response:
            await response.send_str(f"{'wss' if request.secure else 'ws'} {message.data}")
        return response

    async def ends(app: web.Application) -> None:
        events.append("cleanup")

    app = web.Application()
    app.add_routes([web.get("/a/ws", socket), web.get("/a/big", big), web.route("*", "/{any:.*}", answer)])
    app.on_cleanup.append(ends)
    return app


FILE: web.AppKey[Path] = web.AppKey("file", Path)
events: list[str] = []


def by_uvicorn(http: str, ws: str) -> Callable[[Path], Server]:
    return lambda folder: AsgiServer(uvicorn.Config(echo, http=http, ws=ws, proxy_headers=False, log_config=None))


def by_aiohttp(folder: Path) -> Server:
    app = aiohttp_echo()
    app[FILE] = folder / "big"
    app[FILE].write_bytes(BIG)
    return AiohttpServer(app)


SERVERS = {
    "httptools": by_uvicorn("httptools", "websockets-sansio"),
    "h11": by_uvicorn("h11", "wsproto"),
    "aiohttp": by_aiohttp,
}
