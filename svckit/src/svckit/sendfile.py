"""Answer a request with an open file: conditions, ranges, and the bytes by sendfile(2) where the transport is a plain socket.

On a transport that is no plain TCP connection (TLS, one in memory) the file is copied piece by piece.
"""

import os
import time
from collections.abc import Iterable

from twisted.internet import tcp
from twisted.web.http import datetimeToString
from twisted.web.server import Request

from .conditional import Portion, etag_of, select
from .kernelsending import KernelSending
from .sending import PIECE, STALL, Part, PieceSending, Sending, transport_of

__all__ = ["PIECE", "SMALL", "STALL", "Part", "answer", "joined", "plan", "send", "send_parts"]

SMALL = 32 * 1024
"""Bytes below which a file is sent in one write, together with its head."""


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
    portion = select(request.method, lambda name: joined(request, name), etag, modified, size, now)
    headers = request.responseHeaders
    if portion.parts and headers.hasHeader(b"Content-Encoding"):
        portion = Portion(200, 0, size)  # section 14.2 allows it; the parts with their heads would have no such coding
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


def joined(request: Request, name: bytes) -> bytes | None:
    """A header of the request, its fields as one list (RFC 9110 section 5.3); None where it has none."""
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
        transport_of(request).abortConnection()
        return
    request.write(data)
    request.finish()


def send(request: Request, fd: int, offset: int, count: int) -> None:
    """Send `count` bytes (at least 1) of `fd` from `offset` as the body of `request`, then finish it and close `fd`.

    The head must be set, Content-Length included. If the file turns out to be shorter, or the client takes nothing for
    `STALL` seconds, the connection is cut: a wrong body never looks like a right one.
    """
    send_parts(request, fd, [Part(b"", offset, count)])


def send_parts(request: Request, fd: int, parts: Iterable[Part]) -> None:
    """As `send`, for several stretches, each after the bytes that go before it."""
    transport = transport_of(request)
    plain = isinstance(transport, tcp.Connection) and not transport.TLS
    sending: Sending = KernelSending(request, fd, parts) if plain else PieceSending(request, fd, parts)
    request.notifyFinish().addErrback(sending.lost)
    request.write(b"")  # the head
    sending.start()
