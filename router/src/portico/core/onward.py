"""A client's requests as they go on to the server: framed, rewritten, with as much of their body as is there.

A client's requests nearly always have the same fields, so what was found out about the last ones is kept. A `Request` without a
body to come never changes, and can be sent again as it is.
"""

from .answers import BAD_FRAMING, BAD_HOST, Answer
from .body import Body, body_of
from .forwarding import request_fields
from .framing import RequestFrame, frame_request, host_agrees
from .head import Head, read_head, request_line

__all__ = ["Onward", "Request"]

IDEMPOTENT = frozenset((b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"))
"""Methods whose request may be sent once more (RFC 9110 section 9.2.2)."""
SPECIAL = frozenset((b"HEAD", b"CONNECT"))
"""Methods whose responses end by rules of their own."""

REQUESTS_KEPT = 4
"""Requests of one client that are remembered."""
REQUEST_KEPT = 2_048
"""Bytes of the longest one."""


class Request:
    """One request for the server."""

    __slots__ = ("body", "end", "head", "last", "minor", "repeatable", "special", "upgrade", "wire")

    def __init__(self, head: Head, frame: RequestFrame, wire: bytes, body: Body | None, end: int) -> None:
        self.head = head
        self.wire = wire
        """What is there of it, as the server gets it."""
        self.body = body
        """Follows its body; None where all of it is there."""
        self.end = end
        """Bytes of the buffer that belong to it."""
        self.minor = min(head.minor, 1)
        self.last = not frame.persistent
        """The client asks no more after it."""
        self.upgrade = frame.upgrade
        """It asks for another protocol than HTTP."""
        self.repeatable = body is None and head.method in IDEMPOTENT
        """`wire` may be sent once more."""
        self.special = head.method in SPECIAL
        """Its response ends by rules of its own."""


class Onward:
    """Makes the requests of one client."""

    __slots__ = ("_client", "_fields", "_frame", "_made", "_rewritten", "_scheme")

    def __init__(self, client: str, tls: bool) -> None:
        """`client` is the address that the server is told; `tls` whether it came by TLS."""
        self._client, self._scheme = client.encode("ascii"), b"https" if tls else b"http"
        self._fields: bytes | None = None  # of the last request; then the others are what they became
        self._frame: RequestFrame | None = None
        self._rewritten = b""
        self._made: dict[bytes, Request] | None = None  # of the last few buffers that were one request and nothing else

    def known(self, buffer: bytes) -> Request | None:
        """The request that `buffer` is, where it was made lately. Of the first one nothing is kept: most stay the only one."""
        return None if self._made is None else self._made.get(buffer)

    def head(self, buffer: bytes) -> Head | None:
        """The same as `read_head`; where only the request line has changed, nothing else is looked at again."""
        end = buffer.find(b"\n") + 1
        fields = self._fields
        if fields is not None and len(buffer) == end + len(fields) + 2 and buffer.startswith(fields, end):
            found = request_line(buffer)
            if found is not None and found.end() == end and found[3] == b"1" and buffer.endswith(b"\r\n\r\n"):
                return Head(found[1], found[2], int(found[4]), fields, len(buffer))
        return read_head(buffer)

    def make(self, head: Head, buffer: bytes) -> Request | Answer:
        """The request at the beginning of `buffer`, or the answer that refuses it."""
        is_first = self._frame is None
        frame = self._frame_of(head)
        if isinstance(frame, Answer):
            return frame
        end, body = head.end, None
        if frame.length:
            body = body_of(frame.length)
            taken = body.feed(buffer, end)
            if taken < 0:
                return BAD_FRAMING
            end += taken
            if body.complete:
                body = None
        wire = b"%b %b HTTP/1.%d\r\n%b" % (head.method, head.target, min(head.minor, 1), self._rewritten)
        if end > head.end:
            wire += buffer[head.end : end]
        request = Request(head, frame, wire, body, end)
        if head.end == len(buffer) <= REQUEST_KEPT and body is None and not is_first:
            if self._made is None or len(self._made) >= REQUESTS_KEPT:
                self._made = {}
            self._made[buffer] = request
        return request

    def _frame_of(self, head: Head) -> RequestFrame | Answer:
        frame = self._frame
        if frame is None or head.fields != self._fields or not head.minor or head.method == b"CONNECT":
            self._fields = None
            found = frame_request(head)
            if isinstance(found, Answer):
                return found
            frame = self._frame = found
            if head.minor and head.method != b"CONNECT":
                self._fields = head.fields
            self._rewritten = request_fields(head, frame, self._client, self._scheme)
        if not head.target.startswith(b"/") and not host_agrees(head.target, frame.host):
            return BAD_HOST
        return frame
