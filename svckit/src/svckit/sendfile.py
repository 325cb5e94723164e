"""Answer a request with an open file: conditions, ranges, and the bytes by sendfile(2).

The bytes of a large file never come into Python's memory. While a file is under way, the transport's `doWrite` is replaced on
the instance: it first flushes what was written before (the head) by the class's own method, then lets the kernel copy from
file to socket. The class's method comes back before `request.finish()`, so whatever waits for an empty write buffer (a
release of the socket, a close) happens there, as ever; and nothing can wait for it earlier, because the request is not done.

On a transport that is no plain TCP connection (TLS, one in memory) the file is copied piece by piece.
"""

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from twisted.internet import main, tcp
from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from twisted.python.failure import Failure
from twisted.web.http import datetimeToString
from twisted.web.server import Request
from zope.interface import implementer

from .conditional import Portion, etag_of, select

__all__ = ["PER_TURN", "PIECE", "SMALL", "STALL", "KernelSending", "Part", "answer", "plan", "send", "send_parts"]

SMALL = 32 * 1024
"""Bytes below which a file is sent in one write, together with its head."""
PER_TURN = 1 << 20
"""Most bytes that one connection may send before the others get their turn."""
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


def answer(request: Request, fd: int, about: os.stat_result, etag: bytes | None = None) -> None:
    """Answer a GET or HEAD with the regular file `fd` (closed at the end, in every case) and finish the request.

    Content-Type and other headers of the resource are the caller's; ETag, Last-Modified, Accept-Ranges, Content-Length and
    Content-Range are set here. `about` is the file's fstat, `etag` its tag where that of `etag_of` is not wanted.
    """
    parts = plan(request, etag or etag_of(about), int(about.st_mtime), about.st_size)
    if not parts:
        os.close(fd)
    elif len(parts) == 1 and parts[0].count < SMALL:
        _send_small(request, fd, parts[0])
    else:
        send_parts(request, fd, parts)


def plan(request: Request, etag: bytes, modified: int, size: int) -> list[Part]:
    """Set the head of the answer to a GET or HEAD for a file of `size` bytes, last `modified` then (seconds since 1970).

    The result is what of the file is to be sent; where that is nothing, the request is finished. Headers are as in `answer`.
    """
    now = time.time()
    modified = min(modified, int(now))  # section 8.8.2.1: never later than Date
    portion = select(request.method, lambda name: _joined(request, name), etag, modified, size, now)
    headers = request.responseHeaders
    headers.setRawHeaders(b"ETag", [etag])
    headers.setRawHeaders(b"Last-Modified", [datetimeToString(modified)])
    headers.setRawHeaders(b"Accept-Ranges", [b"bytes"])
    request.setResponseCode(portion.status)
    if portion.status in (304, 412, 416):
        _answer_without(request, portion, size)
        return []
    if portion.parts:
        return _plan_multipart(request, portion.parts, size)
    headers.setRawHeaders(b"Content-Length", [b"%d" % portion.count])
    if portion.status == 206:
        last = portion.start + portion.count - 1
        headers.setRawHeaders(b"Content-Range", [b"bytes %d-%d/%d" % (portion.start, last, size)])
    if request.method == b"HEAD" or portion.count == 0:
        request.finish()
        return []
    return [Part(b"", portion.start, portion.count)]


def _plan_multipart(request: Request, ranges: Iterable[tuple[int, int]], size: int) -> list[Part]:
    """Several ranges of a file of `size` bytes, as multipart/byteranges (section 14.6)."""
    headers = request.responseHeaders
    boundary = os.urandom(12).hex().encode()
    kind = (headers.getRawHeaders(b"Content-Type") or [b"application/octet-stream"])[0]
    mark = b"\r\n--%s\r\nContent-Type: %s\r\n" % (boundary, kind)
    parts = [
        Part(mark + b"Content-Range: bytes %d-%d/%d\r\n\r\n" % (start, start + count - 1, size), start, count)
        for start, count in ranges
    ]
    parts.append(Part(b"\r\n--%s--\r\n" % boundary, 0, 0))
    headers.setRawHeaders(b"Content-Type", [b"multipart/byteranges; boundary=" + boundary])
    headers.setRawHeaders(b"Content-Length", [b"%d" % sum(len(part.head) + part.count for part in parts)])
    return parts


def _joined(request: Request, name: bytes) -> bytes | None:
    values = request.requestHeaders.getRawHeaders(name)
    return None if values is None else b", ".join(values)


def _answer_without(request: Request, portion: Portion, size: int) -> None:
    headers = request.responseHeaders
    for name in (b"Content-Type", b"Content-Disposition", b"Content-Encoding"):  # they speak of the file, which does not come
        headers.removeHeader(name)
    body = {304: b"", 412: b"A precondition of the request failed.\n", 416: b"The file has no such bytes.\n"}[portion.status]
    if portion.status == 416:
        headers.setRawHeaders(b"Content-Range", [b"bytes */%d" % size])
    if portion.status != 304:
        headers.setRawHeaders(b"Cache-Control", [b"no-store"])  # what holds for the file does not hold for its refusal
        headers.setRawHeaders(b"Content-Type", [b"text/plain; charset=utf-8"])
        headers.setRawHeaders(b"Content-Length", [b"%d" % len(body)])
        request.write(body)
    request.finish()


def _send_small(request: Request, fd: int, part: Part) -> None:
    try:
        data = os.pread(fd, part.count, part.offset)
    finally:
        os.close(fd)
    if len(data) != part.count:  # cut short since it was measured: the promised length cannot be kept
        _transport_of(request).abortConnection()
        return
    request.write(data)
    request.finish()


def _transport_of(request: Any) -> Any:
    """Typed as what it can do, which no one interface of Twisted's says."""
    return request.channel.transport


def send(request: Request, fd: int, offset: int, count: int) -> None:
    """Send `count` bytes (at least 1) of `fd` from `offset` as the body of `request`, then finish it and close `fd`.

    The head must be set, Content-Length included. If the file turns out to be shorter, or the client takes nothing for
    `STALL` seconds, the connection is cut: a wrong body never looks like a right one.
    """
    send_parts(request, fd, [Part(b"", offset, count)])


def send_parts(request: Request, fd: int, parts: Iterable[Part]) -> None:
    """As `send`, for several stretches, each after the bytes that go before it."""
    transport = _transport_of(request)
    plain = isinstance(transport, tcp.Connection) and not transport.TLS
    sending: _Sending = KernelSending(request, fd, parts) if plain else _PieceSending(request, fd, parts)
    request.notifyFinish().addErrback(sending.lost)
    request.write(b"")  # the head
    sending.start()


class _Sending:
    """What both ways have in common: the position, the end, the timer."""

    def __init__(self, request: Any, fd: int, parts: Iterable[Part]) -> None:
        """`request` has a `channel`, a `sentLength`, `write` and `finish`, as one of twisted.web's has."""
        self.request, self.fd, self._parts = request, fd, iter(parts)
        self.offset = self.left = 0
        self.transport = _transport_of(request)
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


class KernelSending(_Sending):
    """sendfile(2), driven by the reactor through the transport's `doWrite`."""

    def start(self) -> None:
        super().start()
        self._hook: Callable[[], Any] = self._do_write
        self.transport.doWrite = self._hook
        self.transport.startWriting()

    def release(self) -> None:
        super().release()
        if self.transport.__dict__.get("doWrite") is self._hook:  # abortConnection puts one of its own there
            del self.transport.doWrite

    def _do_write(self) -> Any:
        transport = self.transport
        if _pending(transport):
            result = type(transport).doWrite(transport)
            if result is not None or _pending(transport):
                return result
            transport.startWriting()  # the class's method has just stopped it
        try:
            finished = self._send_one_turn()
        except BlockingIOError:
            return None
        except OSError:
            return main.CONNECTION_LOST
        if finished and not self.begin_part():
            # Writing goes on: the class's method runs once more, finds nothing, and does what it does when all is out.
            self.release()
            self.request.finish()
        return None

    def _send_one_turn(self) -> bool:
        budget = PER_TURN
        while self.left and budget > 0:
            sent = os.sendfile(self.transport.fileno(), self.fd, self.offset, min(self.left, budget))
            if sent == 0:
                raise OSError("the file has become shorter")
            self.request.sentLength += sent
            budget -= sent
            self.advance(sent)
        return not self.left


def _pending(transport: Any) -> bool:
    return len(transport.dataBuffer) > transport.offset or bool(transport._tempDataLen)


@implementer(IPushProducer)
class _PieceSending(_Sending):
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
