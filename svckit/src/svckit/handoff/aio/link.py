"""A replica's end of one link, for asyncio. What it does is in `svckit.handoff.linkend`."""

import asyncio
import logging
import socket
from collections.abc import Callable

from ..edge import Owner
from ..linkend import LinkEnd
from .accepted import Returned

__all__ = ["Link"]

log = logging.getLogger("svckit.handoff")


class Link(LinkEnd[Returned]):
    """One SOCK_SEQPACKET connection from a router, in an event loop."""

    def __init__(self, sock: socket.socket, owner: "Owner[Link, Returned]", loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        super().__init__(sock, owner)

    def _now(self) -> float:
        return self._loop.time()

    def _later(self, delay: float, call: Callable[[], None]) -> asyncio.TimerHandle:
        return self._loop.call_later(delay, call)

    def _start_reading(self) -> None:
        self._loop.add_reader(self._sock, self._read)

    def _stop_reading(self) -> None:
        self._loop.remove_reader(self._sock)

    def _start_writing(self) -> None:
        self._loop.add_writer(self._sock, self._writable)

    def _stop_writing(self) -> None:
        self._loop.remove_writer(self._sock)

    def _error(self, text: str, **values: object) -> None:
        log.error(text.format(**values))

    def _warn(self, text: str) -> None:
        log.warning(text)
