"""One request at a time: what a server is given of a connection's bytes, and when.

The next request only when the answer to the last is written; nothing is read while there is enough to do.
"""

import asyncio
import logging
from abc import ABC, abstractmethod
from typing import Any

from ...ownership import Ownership
from ...refusals import BAD_REQUEST, HEAD_TIMEOUT, TOO_LARGE
from .body import BadFraming
from .exchange import Exchange
from .feeding import feed
from .heads import end_of_head, read_request
from .transport import SharedTransport

__all__ = ["Turns"]

HEAD_DEADLINE = 10.0
"""Seconds for the head of a request, from its first byte."""
READ_SIZE = 65_536
"""Bytes read at a time: with a head before them they still fit into the message that hands a connection back."""

log = logging.getLogger("svckit.handoff")

_read_buffer = bytearray(READ_SIZE)  # one for all: it is read empty in the same turn of the loop


class Turns(asyncio.BufferedProtocol, ABC):
    """The part of `SharedHttp` that follows requests and answers."""

    _loop: asyncio.AbstractEventLoop
    _real: asyncio.Transport
    _shown: SharedTransport

    def __init__(self, ownership: Ownership, inner: asyncio.BaseProtocol, draining: bool) -> None:
        """`inner` is the server's own protocol."""
        self._ownership, self._inner, self._draining = ownership, inner, draining
        self._unread = bytearray()  # what the server has not been given
        self._exchange: Exchange | None = None
        self._opaque = self._client_ended = self._leaving = self._refused = False
        self._first = True
        self._paused_by_server = self._paused = False
        self._timer: asyncio.TimerHandle | None = None

    @abstractmethod
    def _leave(self) -> None:
        """Give the connection back."""

    @abstractmethod
    def _refuse(self, answer: bytes) -> None:
        """Answer in the server's place, and close."""

    # -- from both sides

    def get_buffer(self, sizehint: int) -> bytearray:
        return _read_buffer

    def buffer_updated(self, nbytes: int) -> None:
        if self._refused:
            return
        self._unread += memoryview(_read_buffer)[:nbytes]
        self._advance()

    def wrote(self, data: Any) -> None:
        """The server has written; at the end of an answer the next request may begin, when it has done all that it wants."""
        exchange = self._exchange
        if exchange is None or self._opaque:
            return
        try:
            exchange.sent(bytes(data))
        except BadFraming as error:
            log.error("an answer that cannot be followed, no other request comes after it: %s", error)
            exchange.lose_track()
        if exchange.tunnel:
            self._opaque = True
        if exchange.complete or self._opaque:
            self._loop.call_soon(self._advance)

    def paused_by_server(self, paused: bool) -> None:
        """It has, or has not, enough to do."""
        self._paused_by_server = paused
        self._pause_or_resume()

    # -- one request at a time

    def _advance(self) -> None:
        """Give the server what it may have."""
        if self._leaving or self._refused or self._shown.is_closing():
            return
        try:
            while self._step():
                if self._shown.is_closing():
                    return
        except BadFraming:
            self._refuse(BAD_REQUEST)
        except Exception:
            log.exception("the server's protocol failed")
            self._real.abort()
        if self._leaving or self._refused or self._shown.is_closing():
            return
        self._mind_the_head()
        self._pause_or_resume()
        if self._exchange is None and self._client_ended:
            self._real.close()

    def _step(self) -> bool:
        """One piece for the server; False where there is none now.

        Raises:
            BadFraming: the client's message has no certain end.
        """
        if self._opaque:
            return self._give(len(self._unread))
        exchange = self._exchange
        if exchange is not None:
            if not exchange.request.complete:
                return self._give(exchange.request.take(self._unread))
            if not exchange.complete or exchange.last:  # after the last one the server closes
                return False
            self._exchange = None
            if self._draining:
                self._leave()
                return False
        return self._begin()

    def _begin(self) -> bool:
        """The next request, if its head is there."""
        end = end_of_head(self._unread)
        if not end:
            return False
        request = read_request(bytes(self._unread[:end]), self._first) if end > 0 else TOO_LARGE
        if isinstance(request, bytes):
            self._refuse(request)
            return False
        if not self._first and not self._ownership.owns(request.target):
            self._leave()
            return False
        self._first = False
        self._stop_timer()
        exchange = Exchange(request)
        body = exchange.request.take(self._unread, end)
        self._exchange = exchange
        return self._give(end + body)

    def _give(self, count: int) -> bool:
        if not count:
            return False
        data = bytes(self._unread[:count])
        del self._unread[:count]
        feed(self._inner, data)
        return True

    def _pause_or_resume(self) -> None:
        """Read nothing while there is enough to do: what is handed back with a connection stays small."""
        waits = self._exchange is not None and self._exchange.request.complete and not self._opaque and bool(self._unread)
        pause = waits or self._paused_by_server or self._leaving
        if pause != self._paused and not self._client_ended and not self._real.is_closing():
            self._paused = pause
            if pause:
                self._real.pause_reading()
            else:
                self._real.resume_reading()

    # -- the deadline of a head

    def _mind_the_head(self) -> None:
        if self._exchange is None and self._unread and not self._opaque:
            if self._timer is None:
                self._timer = self._loop.call_later(HEAD_DEADLINE, self._refuse, HEAD_TIMEOUT)
        else:
            self._stop_timer()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
