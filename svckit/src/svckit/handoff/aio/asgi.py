"""Any ASGI application behind the handoff, by uvicorn: `svckit-asgi mypackage.app:app --service api`.

uvicorn's own protocols (h11 or httptools, and whichever WebSocket library is there) serve the connections; it only listens on
nothing. The client in the scope is the true one, and `X-Forwarded-For` is not believed. Where the router has ended TLS the
scheme is `https` (`wss`). At the end of the drain time WebSockets are closed with 1012, as uvicorn does it.
"""

import argparse
import asyncio
import contextlib
import signal
import sys
from collections.abc import Sequence
from typing import Any

import uvicorn

from .run import run

__all__ = ["AsgiServer", "main"]


class AsgiServer:
    """A `Server` (`run.py`) around a `uvicorn.Config`."""

    def __init__(self, config: uvicorn.Config) -> None:
        self._config, self._server = config, uvicorn.Server(config)
        self._ticks: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Load the application and run its lifespan's startup."""
        if not self._config.loaded:
            self._config.load()
        self._lifespan = self._config.lifespan_class(self._config)
        await self._lifespan.startup()
        if self._lifespan.should_exit:
            raise OSError("the application failed to start")
        await self._server.on_tick(0)
        self._ticks = asyncio.create_task(self._tick())

    async def _tick(self) -> None:
        """uvicorn's own clock: the Date header, and its limit of requests, at which the replica drains."""
        while True:
            await asyncio.sleep(1)
            if await self._server.on_tick(0):
                signal.raise_signal(signal.SIGTERM)
                return

    def make_protocol(self) -> asyncio.BaseProtocol:
        made: asyncio.BaseProtocol = self._config.http_protocol_class(  # type: ignore[call-arg]
            config=self._config, server_state=self._server.server_state, app_state=self._lifespan.state
        )
        return made

    def goodbye(self, protocol: Any) -> None:
        protocol.shutdown()

    async def stop(self) -> None:
        """What the application still does for requests is cancelled; then its lifespan ends."""
        if self._ticks is not None:
            self._ticks.cancel()
        tasks = list(self._server.server_state.tasks)
        for task in tasks:
            task.cancel()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                await asyncio.gather(*tasks, return_exceptions=True)
        await self._lifespan.shutdown()


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and serve; ends the process."""
    parser = argparse.ArgumentParser(prog="svckit-asgi", description="Serves an ASGI application behind the Portico router.")
    parser.add_argument("app", help="package.module:application")
    parser.add_argument("--service", required=True, help="the name in the router's configuration")
    parser.add_argument("--factory", action="store_true", help="the application is a function that makes it")
    parser.add_argument("--app-dir", default="", help="folder to look for the application in (default: this one)")
    parser.add_argument("--http", default="auto", help="uvicorn's HTTP implementation: auto, h11, httptools")
    parser.add_argument(
        "--ws", default="auto", help="uvicorn's WebSocket implementation: auto, none, websockets-sansio, wsproto"
    )
    parser.add_argument("--loop", default="auto", help="event loop: auto, asyncio, uvloop")
    parser.add_argument("--lifespan", default="auto", choices=["auto", "on", "off"])
    parser.add_argument("--root-path", default="", help="prefix that the application is to know of")
    parser.add_argument("--keep-alive", type=int, default=60, metavar="SECONDS", help="an idle connection is closed after (60)")
    parser.add_argument("--limit-max-requests", type=int, metavar="COUNT", help="drain and end after so many requests")
    parser.add_argument("--no-access-log", action="store_true")
    chosen = parser.parse_args(arguments)
    sys.path.insert(0, chosen.app_dir)
    config = uvicorn.Config(
        chosen.app,
        factory=chosen.factory,
        http=chosen.http,
        ws=chosen.ws,
        loop=chosen.loop,
        lifespan=chosen.lifespan,
        root_path=chosen.root_path,
        timeout_keep_alive=chosen.keep_alive,
        limit_max_requests=chosen.limit_max_requests,
        access_log=not chosen.no_access_log,
        proxy_headers=False,  # the connection is the client's own: what a header says of its address is the client's claim
        log_config=None,
    )
    sys.exit(run(chosen.service, lambda: AsgiServer(config), config.get_loop_factory()))


if __name__ == "__main__":
    main()
