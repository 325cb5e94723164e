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
import os
import socket
from collections.abc import Callable
from typing import Any, cast

from ...ownership import Ownership
from .accepted import Accepted
from .answers import BAD_REQUEST, HEAD_TIMEOUT, TOO_LARGE
from .body import BadFraming
from .exchange import Exchange
from .heads import HEAD_SIZE, read_request
from .transport import SharedTransport

__all__ = ["SharedHttp"]

HEAD_DEADLINE = 10.0
"""Seconds for the head of a request, from its first byte."""
READ_SIZE = 65_536
"""Bytes read at a time: with a head before them they still fit into the message that hands a connection back."""
FLUSH_TIME = 60.0
"""Seconds in which a client must read something of an answer after which its connection is to be handed back."""
LINGER = 2.0
"""Seconds in which what a refused client still sends is read away: closing at once could eat the answer."""

log = logging.getLogger("svckit.handoff")

_read_buffer = bytearray(READ_SIZE)  # one for all: it is read empty in the same turn of the loop


class SharedHttp(asyncio.BufferedProtocol):
    """The protocol of one connection, with the server's own inside."""

    def __init__(
        self,
        accepted: Accepted,
        ownership: Ownership,
        make_protocol: Callable[[], asyncio.BaseProtocol],
        goodbye: Callable[[asyncio.BaseProtocol], None],
    ) -> None:
        """`goodbye` ends a connection that is no HTTP any more (a WebSocket) when the drain time is up."""
        self._accepted, self._ownership, self._goodbye = accepted, ownership, goodbye
        self._inner = make_protocol()
        self._unread = bytearray()  # what the server has not been given
        self._exchange: Exchange | None = None
        self._draining = accepted.draining
        self._opaque = self._client_ended = self._leaving = self._refused = False
        self._first = True
        self._paused_by_server = self._paused = False
        self._timer: asyncio.TimerHandle | None = None
        self._unflushed = 0
        self._returned: socket.socket | None = None
        accepted.on_drain, accepted.on_expire = self.drain, self.expire

    # -- from the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._loop = asyncio.get_running_loop()
        self._real = cast(asyncio.Transport, transport)
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

    def get_buffer(self, sizehint: int) -> bytearray:
        return _read_buffer

    def buffer_updated(self, nbytes: int) -> None:
        if self._refused:
            return
        self._unread += memoryview(_read_buffer)[:nbytes]
        self._advance()

    def eof_received(self) -> bool:
        """Answer what is whole, then close; what is not whole never will be."""
        if self._opaque:
            return bool(_streaming(self._inner).eof_received())
        self._advance()
        self._client_ended = True
        return not self._refused and self._exchange is not None and self._exchange.request.complete

    def pause_writing(self) -> None:
        if not self._leaving:
            self._inner.pause_writing()

    def resume_writing(self) -> None:
        if self._leaving:
            self._let_go()
        else:
            self._inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        self._leave_server(exc)
        if self._returned is not None:
            self._accepted.hand_back(bytes(self._unread), self._returned)
        else:
            self._accepted.ended()

    # -- from the server's protocol

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

    def changed_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Another one speaks from now on: a WebSocket's."""
        self._inner = protocol

    def current_protocol(self) -> asyncio.BaseProtocol:
        """The server's."""
        return self._inner

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
        while self._unread.startswith(b"\r\n"):  # RFC 9112 section 2.2
            del self._unread[:2]
        end = self._unread.find(b"\r\n\r\n", 0, HEAD_SIZE) + 4
        if end < 4:
            if len(self._unread) >= HEAD_SIZE:
                self._refuse(TOO_LARGE)
            return False
        request = read_request(bytes(self._unread[:end]))
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
        _feed(self._inner, data)
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
        self._real.set_write_buffer_limits(0)
        if self._real.get_write_buffer_size():
            self._watch_the_flush()
        else:
            self._let_go()

    def _watch_the_flush(self) -> None:
        """`resume_writing` tells when all is out; a client that reads nothing is not waited for forever."""
        left = self._real.get_write_buffer_size()
        if left == self._unflushed:
            self._real.abort()
            return
        self._unflushed = left
        self._timer = self._loop.call_later(FLUSH_TIME, self._watch_the_flush)

    def _let_go(self) -> None:
        """The connection lives on in a duplicate of its descriptor; the transport closes its own and never shuts it down."""
        if self._returned is not None or self._real.is_closing():
            return
        try:
            self._returned = socket.socket(fileno=os.dup(self._real.get_extra_info("socket").fileno()))
        except OSError as error:
            log.error("a connection cannot be handed back: %s", error)
        self._real.abort()  # takes it out of the event loop; nothing is left to write

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


def _streaming(protocol: asyncio.BaseProtocol) -> asyncio.Protocol:
    return cast(asyncio.Protocol, protocol)


def _feed(protocol: asyncio.BaseProtocol, data: bytes) -> None:
    """As the event loop would, for both kinds of protocol."""
    if isinstance(protocol, asyncio.BufferedProtocol):
        while data:
            buffer = memoryview(protocol.get_buffer(len(data)))
            count = min(len(buffer), len(data))
            buffer[:count] = data[:count]
            protocol.buffer_updated(count)
            data = data[count:]
    else:
        _streaming(protocol).data_received(data)
