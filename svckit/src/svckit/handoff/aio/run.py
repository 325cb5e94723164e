"""A container's main for asyncio: one server, served by handoff, until SIGTERM has drained it.

Reads the same environment as `svckit run` (`svckit.environment`) and logs JSON lines on standard output as it does.
"""

import asyncio
import contextlib
import functools
import logging
import os
import signal
import sys
from collections.abc import Callable
from typing import Protocol

from ...environment import folder_of, settings_from
from ...settings import BadOptions, Settings
from .accepted import Accepted
from .jsonlines import log_as_json
from .replica import Replica
from .shared import SharedHttp

__all__ = ["Server", "run", "serve"]

BAD_USAGE = 2
"""Exit status where the service cannot start because it was told something wrong."""
KILLED = 128
"""Added to a signal's number, it is the exit status of a process that the signal has ended (as shells count)."""

log = logging.getLogger("svckit")


class Server(Protocol):
    """A server that does not listen: it is given connections."""

    async def start(self) -> None:
        """Be ready for connections. Raises: OSError, BadOptions: it cannot be."""

    def make_protocol(self) -> asyncio.BaseProtocol:
        """The HTTP protocol of one more connection."""

    def goodbye(self, protocol: asyncio.BaseProtocol) -> None:
        """The drain time is up: end what is no HTTP any more (a WebSocket) in its own terms."""

    async def stop(self) -> None:
        """No connection is left; end in good order."""


def run(
    service: str, make_server: Callable[[], Server], loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None
) -> int:
    """Run until a signal ends it; returns the exit status. `service` is the name in the router's configuration."""
    try:
        settings = settings_from(service)
        log_as_json(service=service, replica=settings.replica)
        server = make_server()
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            runner.run(serve(settings, server))
    except (BadOptions, OSError) as error:
        print(f"svckit: {error}", file=sys.stderr)
        return BAD_USAGE
    return 0


async def serve(settings: Settings, server: Server, ending: asyncio.Event | None = None) -> None:
    """Serve until SIGTERM or SIGINT, or until `ending` is set; a second signal ends the process at once.

    Raises:
        OSError: the service's folder is not ours to write in.
    """
    ending = ending or asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _signalled, number, ending)
    await server.start()
    connecting: set[asyncio.Task[None]] = set()

    def adopt(accepted: Accepted) -> None:
        task = loop.create_task(_connect(accepted, replica, server))
        connecting.add(task)
        task.add_done_callback(connecting.discard)

    folder = folder_of(settings.service)
    replica = Replica(
        settings.service, settings.replica, folder, adopt, settings.router_uid, hand_back_timeout=settings.hand_back_timeout
    )
    try:
        replica.start()
        await ending.wait()
        await replica.drain(settings.drain_time)
    finally:
        replica.close()
        await server.stop()


async def _connect(accepted: Accepted, replica: Replica, server: Server) -> None:
    loop = asyncio.get_running_loop()
    factory = functools.partial(SharedHttp, accepted, replica.ownership, server.make_protocol, server.goodbye)
    try:
        await loop.connect_accepted_socket(factory, accepted.sock)
    except Exception:
        log.exception("a connection could not be served")
        accepted.sock.close()
        accepted.ended()


def _signalled(number: int, ending: asyncio.Event) -> None:
    name = signal.Signals(number).name
    if not ending.is_set():
        log.info("%s: draining, a second one ends at once", name)
        ending.set()
        return
    log.warning("%s in the drain: ending at once", name)
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    os._exit(KILLED + number)
