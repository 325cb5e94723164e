"""Send stretches of an open file as the body of an answer: what the ways of sending have in common, and the one by pieces."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from twisted.python.failure import Failure
from zope.interface import implementer

__all__ = ["PIECE", "STALL", "Part", "PieceSending", "Sending", "transport_of"]

PIECE = 64 * 1024
"""Bytes that are read and written at a time where sendfile cannot be used."""
STALL = 60.0
"""Seconds without a byte taken by the client after which the connection is cut."""


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a file, and what is sent before it."""

    head: bytes
    offset: int
    count: int


def transport_of(request: Any) -> Any:
    """Typed as what it can do, which no one interface of Twisted's says."""
    return request.channel.transport


class Sending:
    """What both ways have in common: the position, the end, the timer."""

    def __init__(self, request: Any, fd: int, parts: Iterable[Part]) -> None:
        """`request` has a `channel`, a `sentLength`, `write` and `finish`, as one of twisted.web's has."""
        self.request, self.fd, self._parts = request, fd, iter(parts)
        self.offset = self.left = 0
        self.transport = transport_of(request)
        self.clock: IReactorTime = request.channel.site.clock
        self._stall: IDelayedCall | None = None

    def start(self) -> None:
        self._stall = self.clock.callLater(STALL, self.transport.abortConnection)
        self.begin_part()

    def begin_part(self) -> bool:
        """Go to the next part and write what goes before it; False where there is none."""
        part = next(self._parts, None)
        if part is None:
            return False
        self.offset, self.left = part.offset, part.count
        if part.head:
            self.request.write(part.head)
        return True

    def advance(self, sent: int) -> None:
        self.offset += sent
        self.left -= sent
        if self._stall is not None:
            self._stall.reset(STALL)

    def release(self) -> None:
        """Let go of everything; called once, at the end or when the connection is lost."""
        if self._stall is not None and self._stall.active():
            self._stall.cancel()
        os.close(self.fd)
        self.fd = -1

    def lost(self, reason: Failure) -> None:
        if self.fd >= 0:
            self.release()


@implementer(IPushProducer)
class PieceSending(Sending):
    """Read and write in turns, as long as the consumer takes it."""

    _next: IDelayedCall | None = None
    _paused = False

    def start(self) -> None:
        super().start()
        self.request.registerProducer(self, True)
        self._schedule()

    def release(self) -> None:
        self._cancel()
        super().release()

    def pauseProducing(self) -> None:
        self._paused = True
        self._cancel()

    def resumeProducing(self) -> None:
        self._paused = False
        self._schedule()

    def stopProducing(self) -> None:
        self._paused = True
        self._cancel()

    def _cancel(self) -> None:
        if self._next is not None and self._next.active():
            self._next.cancel()
        self._next = None

    def _schedule(self) -> None:
        if self._next is None and self.fd >= 0 and not self._paused:
            self._next = self.clock.callLater(0, self._step)

    def _step(self) -> None:
        self._next = None
        if self.left:
            data = os.pread(self.fd, min(self.left, PIECE), self.offset)
            if not data:
                self.transport.abortConnection()
                return
            self.advance(len(data))
            self.request.write(data)
        if self.left or self.begin_part():
            self._schedule()
        elif self.fd >= 0:
            self.release()
            self.request.unregisterProducer()
            self.request.finish()
