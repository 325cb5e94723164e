"""An ASGI application needs to know nothing of Portico. This one is without any framework: a page and a WebSocket echo."""

from typing import Any

__all__ = ["app"]


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Says who asks, and how; gives a WebSocket's texts back."""
    if scope["type"] == "http":
        host, port = scope["client"]
        text = f"hello {host}:{port}, you asked for {scope['path']} by {scope['scheme']}\n".encode()
        headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(text))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": text})
    elif scope["type"] == "websocket":
        await receive()  # websocket.connect
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message.get("text") or ""})
