"""An aiohttp application behind the handoff: `svckit-aiohttp mypackage.app:make_app --service api`.

aiohttp's own protocol serves the connections; it only listens on nothing. `request.remote` is the true client, and where the
router has ended TLS `request.scheme` is `https`. Files are read and written, not sent by sendfile(2), as what is written is
followed to know where an answer ends. At the end of the drain time WebSockets get a Close frame with 1001.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from aiohttp import WSCloseCode, web

from ...settings import BadOptions
from .run import run

__all__ = ["AiohttpServer", "load", "main"]

_GOING_AWAY = b"\x88\x02" + WSCloseCode.GOING_AWAY.to_bytes(2, "big")
"""A Close frame of a server (RFC 6455 section 5.5.1)."""


class AiohttpServer:
    """A `Server` (`run.py`) around an `aiohttp.web.Application`."""

    def __init__(self, app: web.Application, **options: Any) -> None:
        """`options` are those of `web.AppRunner`."""
        self._runner = web.AppRunner(app, handle_signals=False, **options)

    async def start(self) -> None:
        await self._runner.setup()

    def make_protocol(self) -> asyncio.BaseProtocol:
        server = self._runner.server
        assert server is not None
        return server()

    def goodbye(self, protocol: Any) -> None:
        """Between frames: aiohttp writes each frame at once."""
        transport = protocol.transport
        if transport is not None:
            transport.write(_GOING_AWAY)
            transport.close()

    async def stop(self) -> None:
        """`on_shutdown` and `on_cleanup` of the application."""
        await self._runner.cleanup()


def load(name: str) -> web.Application:
    """The application `package.module:name`, or what the function of that name makes.

    Raises:
        BadOptions: there is none.
    """
    module, _, attribute = name.partition(":")
    try:
        found = getattr(import_module(module), attribute)
        if callable(found) and not isinstance(found, web.Application):
            found = found()
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        raise BadOptions(f"{name}: {error}") from None
    if not isinstance(found, web.Application):
        raise BadOptions(f"{name}: neither an aiohttp.web.Application nor a function that makes one")
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and serve; ends the process."""
    parser = argparse.ArgumentParser(
        prog="svckit-aiohttp", description="Serves an aiohttp application behind the Portico router."
    )
    parser.add_argument("app", help="package.module:application, or a function that makes it")
    parser.add_argument("--service", required=True, help="the name in the router's configuration")
    parser.add_argument("--app-dir", default="", help="folder to look for the application in (default: this one)")
    parser.add_argument(
        "--keep-alive", type=float, default=60.0, metavar="SECONDS", help="an idle connection is closed after (60)"
    )
    chosen = parser.parse_args(arguments)
    sys.path.insert(0, chosen.app_dir)
    sys.exit(run(chosen.service, lambda: AiohttpServer(load(chosen.app), keepalive_timeout=chosen.keep_alive)))


if __name__ == "__main__":
    main()
