"""One opinion on what a path means: the application sees the normal form that the router has decided on."""

from typing import Any
from urllib.parse import unquote

from svckit.paths import BadTarget, normalise

__all__ = ["NormalPaths"]


class NormalPaths:
    """Middleware. Without it `/static//private/` would pass by a login for `/static/private/`, and find the file."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            return await self._app(scope, receive, send)
        try:
            path = normalise(scope["raw_path"])
            if b"%2F" in path:
                raise BadTarget("a slash inside a name: no file has it")
        except BadTarget as error:
            text = f"Bad request: {error}\n".encode()
            headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(text))]
            await send({"type": "http.response.start", "status": 400, "headers": headers})
            await send({"type": "http.response.body", "body": text})
            return None
        return await self._app({**scope, "path": unquote(path.decode("latin-1"))}, receive, send)
