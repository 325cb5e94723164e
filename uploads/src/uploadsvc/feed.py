"""How far a resumable upload is, as it goes on: server-sent events, for a page that shows it.

Looked up on disk, so it does not matter which replica takes the upload and which one is asked.
"""

from collections.abc import Callable
from typing import Any

import msgspec
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from .sink import Run
from .tus.info import Standing

__all__ = ["INTERVAL", "Feed"]

INTERVAL = 0.5
"""Seconds between two looks."""


class Feed:
    """One client's; ends with the upload, or when the client leaves."""

    log = Logger()

    def __init__(self, request: Any, look: Callable[[], Standing | None], run: Run) -> None:
        self._request, self._look, self._run = request, look, run
        self._last: Standing | None = None
        self._next: IDelayedCall | None = None
        self._gone = False
        request.setHeader(b"Content-Type", b"text/event-stream")
        request.setHeader(b"Cache-Control", b"no-store")
        request.notifyFinish().addErrback(self._left)
        self._again()

    def _left(self, reason: Failure) -> None:
        self._gone = True
        if self._next is not None and self._next.active():
            self._next.cancel()

    def _again(self) -> None:
        done = self._run(self._look)
        done.addCallback(self._tell)
        done.addErrback(self._failed)

    def _tell(self, standing: Standing | None) -> None:
        if self._gone:
            return
        if standing is not None and standing != self._last:
            self._request.write(b"data: " + msgspec.json.encode(standing) + b"\n\n")
        self._last = standing
        if standing is None or standing.done:
            self._request.finish()
        else:
            self._next = self._request.channel.site.clock.callLater(INTERVAL, self._again)

    def _failed(self, reason: Failure) -> None:
        self.log.failure("a feed failed", reason)
        if not self._gone:
            self._request.finish()
