"""An aiohttp application needs to know nothing of Portico. This one has a page, a file, and a WebSocket echo."""

from pathlib import Path

from aiohttp import WSMsgType, web

__all__ = ["make_app"]


async def page(request: web.Request) -> web.Response:
    """Says who asks, and how."""
    return web.Response(text=f"hello {request.remote}, you asked for {request.path} by {request.scheme}\n")


async def source(request: web.Request) -> web.FileResponse:
    """This file."""
    return web.FileResponse(Path(__file__))


async def echo(request: web.Request) -> web.WebSocketResponse:
    """Gives texts back."""
    websocket = web.WebSocketResponse()
    await websocket.prepare(request)
    async for message in websocket:
        if message.type == WSMsgType.TEXT:
            await websocket.send_str(message.data)
    return websocket


def make_app() -> web.Application:
    """For `svckit-aiohttp`."""
    app = web.Application()
    app.add_routes([web.get("/hello/source", source), web.get("/hello/echo", echo), web.get("/hello/{rest:.*}", page)])
    return app
