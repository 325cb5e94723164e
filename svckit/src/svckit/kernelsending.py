"""Send stretches of a file by sendfile(2): their bytes never come into Python's memory.

While a file is under way, the transport's `doWrite` is replaced on the instance: it first flushes what was written before
(the head) by the class's own method, then lets the kernel copy from file to socket. The class's method comes back before
`request.finish()`, so whatever waits for an empty write buffer (a release of the socket, a close) happens there, as ever; and
nothing can wait for it earlier, because the request is not done.

*Turns* are bounded in time, not in bytes: how long the kernel takes for a byte depends on the disk and the client. A turn
begins at most one call after its time is up.

*The cork* (TCP_CORK) makes full segments of what several calls send, the head included. Without it each call ends with a short
one, as twisted.web has set TCP_NODELAY. It is off again before anything else is written, and that sends what is held back.
"""

import os
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any, ClassVar

from twisted.internet import main
from twisted.internet.interfaces import IReactorTime

from .sending import Sending

__all__ = ["PER_CALL", "TURN", "KernelSending", "push"]

PER_CALL = 1 << 20
"""Most bytes that the kernel is asked to send at a time; a turn may be late by as long as that takes."""
TURN = 0.001
"""Seconds for which files are sent before other connections have theirs, shared by all that are under way."""


def push(out: int, fd: int, offset: int, count: int, clock: IReactorTime) -> int:
    """Send at most `count` bytes (at least 1) of `fd` from `offset` into the socket `out` (not blocking), for one turn.

    The result is how many were sent; 0 where the socket is full.

    Raises:
        OSError: the connection is broken, or the file has become shorter.
    """
    end = clock.seconds() + TURN / max(KernelSending.under_way, 1)
    sent = 0
    while True:
        wanted = min(count - sent, PER_CALL)
        try:
            taken = os.sendfile(out, fd, offset + sent, wanted)
        except BlockingIOError:
            return sent
        if taken == 0:
            raise OSError("the file has become shorter")
        sent += taken
        if taken < wanted or sent == count or clock.seconds() >= end:  # a full socket need not be asked again
            return sent


class KernelSending(Sending):
    """sendfile(2), driven by the reactor through the transport's `doWrite`."""

    under_way: ClassVar[int] = 0
    """How many there are in this process."""

    def start(self) -> None:
        KernelSending.under_way += 1
        super().start()
        self._socket: socket.socket = self.transport.socket
        self._cork(True)
        self._hook: Callable[[], Any] = self._do_write
        self.transport.doWrite = self._hook
        self.transport.startWriting()

    def release(self) -> None:
        super().release()
        KernelSending.under_way -= 1
        self._cork(False)
        if self.transport.__dict__.get("doWrite") is self._hook:  # abortConnection puts one of its own there
            del self.transport.doWrite

    def _cork(self, on: bool) -> None:
        with suppress(OSError):  # the plain side of a TLS connection is a socket pair, and a lost connection has no socket
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, on)

    def _do_write(self) -> Any:
        transport = self.transport
        if _pending(transport):
            result = type(transport).doWrite(transport)
            if result is not None or _pending(transport):
                return result
            transport.startWriting()  # the class's method has just stopped it
        try:
            if self.left and (sent := push(transport.fileno(), self.fd, self.offset, self.left, self.clock)):
                self.request.sentLength += sent
                self.advance(sent)
        except OSError:
            return main.CONNECTION_LOST
        if not self.left and not self.begin_part():
            # Writing goes on: the class's method runs once more, finds nothing, and does what it does when all is out.
            self.release()
            self.request.finish()
        return None


def _pending(transport: Any) -> bool:
    return len(transport.dataBuffer) > transport.offset or bool(transport._tempDataLen)
