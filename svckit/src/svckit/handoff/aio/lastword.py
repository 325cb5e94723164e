"""The last word on a connection that nobody takes back, for asyncio. What it does is in `svckit.handoff.wordend`."""

import asyncio
import socket
from collections.abc import Callable

from ..wordend import WordEnd

__all__ = ["LastWord"]


class LastWord(WordEnd):
    """One socket, in an event loop."""

    def __init__(self, sock: socket.socket, answer: bytes, loop: asyncio.AbstractEventLoop) -> None:
        """`sock` belongs to this from now on. No `answer`: it is closed at once."""
        self._loop = loop
        super().__init__(sock, answer)

    def _later(self, delay: float, call: Callable[[], None]) -> asyncio.TimerHandle:
        return self._loop.call_later(delay, call)

    def _start_reading(self) -> None:
        self._loop.add_reader(self._sock, self._read)

    def _stop_reading(self) -> None:
        self._loop.remove_reader(self._sock)
