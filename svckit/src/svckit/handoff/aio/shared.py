"""A server's HTTP/1.1 protocol on a connection that other services may answer on too, for any asyncio server.

It sits between the transport and the server's own protocol and gives that the bytes of one request at a time: the next one
only when the answer to the last is written. At that moment HTTP allows the connection to go elsewhere. So a request that is
not this service's goes back to the router, together with its connection and all that was read; a connection without a request
goes back when the replica drains. The server knows nothing of it: to it the client has left.

The first request of a connection is never asked about: the router has just decided on it. After 101 nothing is followed.

A client that has ended its side gets its answers, then the connection closes.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import cast

from ...ownership import Ownership
from .accepted import Accepted
from .departure import Departure
from .feeding import streaming
from .transport import SharedTransport
from .turns import Turns

__all__ = ["SharedHttp"]

LINGER = 2.0
"""Seconds in which what a refused client still sends is read away: closing at once could eat the answer."""

log = logging.getLogger("svckit.handoff")


class SharedHttp(Turns):
    """The protocol of one connection, with the server's own inside."""

    def __init__(
        self,
        accepted: Accepted,
        ownership: Ownership,
        make_protocol: Callable[[], asyncio.BaseProtocol],
        goodbye: Callable[[asyncio.BaseProtocol], None],
    ) -> None:
        """`goodbye` ends a connection that is no HTTP any more (a WebSocket) when the drain time is up."""
        super().__init__(ownership, make_protocol(), accepted.draining)
        self._accepted, self._goodbye = accepted, goodbye
        accepted.on_drain, accepted.on_expire = self.drain, self.expire

    # -- from the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._loop = asyncio.get_running_loop()
        self._real = cast(asyncio.Transport, transport)
        self._departure = Departure(self._real, self._loop)
        self._shown = SharedTransport(self._real, self, self._accepted)
        try:
            self._inner.connection_made(self._shown)
        except Exception:
            log.exception("the server's protocol failed when it was connected")
            self._real.abort()
            return
        self._unread += self._accepted.preface  # reading begins after this
        self._accepted.preface = b""
        self._loop.call_soon(self._advance)  # uvloop would forget that it is to pause if it were told so here

    def eof_received(self) -> bool:
        """Answer what is whole, then close; what is not whole never will be."""
        if self._opaque:
            return bool(streaming(self._inner).eof_received())
        self._advance()
        self._client_ended = True
        return not self._refused and self._exchange is not None and self._exchange.request.complete

    def pause_writing(self) -> None:
        if not self._leaving:
            self._inner.pause_writing()

    def resume_writing(self) -> None:
        if self._leaving:
            self._departure.let_go()
        else:
            self._inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        self._departure.end()
        self._leave_server(exc)
        if self._departure.taken_out is not None:
            self._accepted.hand_back(bytes(self._unread), self._departure.taken_out)
        else:
            self._accepted.ended()

    # -- from the server's protocol

    def changed_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Another one speaks from now on: a WebSocket's."""
        self._inner = protocol

    def current_protocol(self) -> asyncio.BaseProtocol:
        """The server's."""
        return self._inner

    # -- refusing

    def _refuse(self, answer: bytes) -> None:
        """Answer in the server's place, and close."""
        self._stop_timer()
        self._refused = True
        exchange = self._exchange
        self._leave_server(None)
        if exchange is not None and not exchange.answered:
            self._real.abort()  # in the middle of an exchange: whatever we wrote would be taken for a part of its answer
            return
        self._real.write(answer)
        if self._client_ended or not self._real.can_write_eof():
            self._real.close()
            return
        self._real.write_eof()
        if self._paused:
            self._real.resume_reading()
        self._timer = self._loop.call_later(LINGER, self._real.abort)

    # -- handing back

    def _leave(self) -> None:
        """Give the connection back as soon as all that was written is out."""
        self._stop_timer()
        self._leaving = True
        self._pause_or_resume()
        self._leave_server(None)
        self._departure.begin()

    def _leave_server(self, exc: Exception | None) -> None:
        """To the server the client has gone."""
        if not self._shown.detached:
            self._shown.detached = True
            self._inner.connection_lost(exc)

    # -- drain

    def drain(self) -> None:
        """Go back now if nothing is under way, else after the answer."""
        self._draining = True
        if self._exchange is None and not self._first and not (self._leaving or self._refused or self._opaque):
            self._leave()

    def expire(self) -> None:
        """The drain time is up."""
        if self._opaque and not self._shown.is_closing():
            self._goodbye(self._inner)
        else:
            self._real.abort()
