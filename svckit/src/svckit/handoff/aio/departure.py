"""Takes a connection out of asyncio alive, when all that was written to it is out."""

import asyncio
import logging
import os
import socket

__all__ = ["Departure"]

FLUSH_TIME = 60.0
"""Seconds in which a client must read something of an answer after which its connection is to be handed back."""

log = logging.getLogger("svckit.handoff")


class Departure:
    """Of one transport, which loses its connection then: by `taken_out` its protocol knows that it lives on."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._timer: asyncio.TimerHandle | None = None
        self._unflushed = 0
        self.taken_out: socket.socket | None = None

    def begin(self) -> None:
        """From now on `resume_writing` of the transport's protocol tells when all is out, and must call `let_go`."""
        self._transport.set_write_buffer_limits(0)
        if self._transport.get_write_buffer_size():
            self._watch_the_flush()
        else:
            self.let_go()

    def _watch_the_flush(self) -> None:
        """A client that reads nothing is not waited for forever."""
        left = self._transport.get_write_buffer_size()
        if left == self._unflushed:
            self._transport.abort()
            return
        self._unflushed = left
        self._timer = self._loop.call_later(FLUSH_TIME, self._watch_the_flush)

    def let_go(self) -> None:
        """The connection lives on in a duplicate of its descriptor; the transport closes its own and never shuts it down."""
        if self.taken_out is not None or self._transport.is_closing():
            return
        try:
            self.taken_out = socket.socket(fileno=os.dup(self._transport.get_extra_info("socket").fileno()))
        except OSError as error:
            log.error("a connection cannot be handed back: %s", error)
        self._transport.abort()  # takes it out of the event loop; nothing is left to write

    def end(self) -> None:
        """The transport has lost its connection."""
        if self._timer is not None:
            self._timer.cancel()
