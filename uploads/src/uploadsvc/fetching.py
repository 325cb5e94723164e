"""The answer to a GET of a file that lies elsewhere: read by a thread, piece by piece, as the client takes it.

While the client takes nothing, nothing is read, and the store's connection waits: memory has one piece for each client, and
a thread is busy only while a piece comes.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from svckit.sendfile import STALL, Part
from twisted.internet.interfaces import IPushProducer
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from .sink import Run

__all__ = ["PIECE", "Fetching"]

PIECE = 256 * 1024
"""Bytes that are read and written at a time."""


@implementer(IPushProducer)
class Fetching:
    """One answer, whose head is set."""

    log = Logger()

    def __init__(
        self,
        request: Any,
        open_at: Callable[[int, int], Any],
        parts: Sequence[Part],
        run: Run,
        refuse: Callable[[BaseException | None], bool] = lambda _: False,
    ) -> None:
        """`open_at(first, count)` gives a stream of these bytes, and may block as its `read` may.

        `refuse` hears of what fails before anything is sent, and may answer with that; whether it has.
        """
        self._refuse = refuse
        self._request, self._open, self._run = request, open_at, run
        self._parts = list(parts)
        self._stream: Any = None
        self._left = 0
        self._busy = self._paused = self._over = False
        self._stall = request.channel.site.clock.callLater(STALL, request.channel.transport.abortConnection)
        request.notifyFinish().addErrback(lambda _: self._end())
        request.registerProducer(self, True)
        self._next()

    def pauseProducing(self) -> None:
        self._paused = True

    def resumeProducing(self) -> None:
        self._paused = False
        self._next()

    def stopProducing(self) -> None:
        self._end()

    def _next(self) -> None:
        if self._busy or self._paused or self._over:
            return
        if not self._left and not self._parts:
            self._request.unregisterProducer()
            self._end()
            self._request.finish()
            return
        self._busy = True
        self._run(self._read).addCallbacks(self._write, self._fail)

    def _read(self) -> bytes:
        if self._left:
            return self._take(b"")
        part = self._parts.pop(0)
        self._left = part.count
        if not part.count:
            return part.head
        self._close()
        self._stream = self._open(part.offset, part.count)
        return self._take(part.head)

    def _take(self, head: bytes) -> bytes:
        data: bytes = self._stream.read(min(self._left, PIECE))
        if not data:
            raise EOFError("the store has sent less than it said")
        self._left -= len(data)
        return head + data

    def _write(self, data: bytes) -> None:
        self._busy = False
        if self._over:
            self._run(self._close)
            return
        self._stall.reset(STALL)
        self._request.write(data)
        self._next()

    def _fail(self, reason: Failure) -> None:
        self._busy = False
        if not self._over:
            self._end()
            self._request.unregisterProducer()
            if self._request.startedWriting or not self._refuse(reason.value):
                self.log.warn("a download is cut short: {why}", why=reason.getErrorMessage())
                self._request.channel.transport.abortConnection()  # a wrong body never looks like a right one
        self._run(self._close)

    def _end(self) -> None:
        if self._over:
            return
        self._over = True
        if self._stall.active():
            self._stall.cancel()
        if not self._busy:
            self._run(partial(self._close))

    def _close(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()
