"""One request and its response on a connection: when is all of both there? Bytes in, no I/O."""

from .body import UNTIL_CLOSE, BadFraming, Body
from .heads import TUNNEL, Request, read_response

__all__ = ["Exchange"]

RESPONSE_HEAD = 1 << 20
"""Bytes; a server's own head that is longer is not followed."""


class Exchange:
    """Follows what the client sends, and what the server answers."""

    __slots__ = ("_body", "_buffer", "_method", "_response", "last", "request", "tunnel")

    def __init__(self, request: Request) -> None:
        self.request = Body(request.length)
        """The request's body."""
        self.last = not request.persistent
        """The connection ends after it."""
        self.tunnel = False
        """It has led to another protocol; nothing here is followed any more."""
        self._method = request.method
        self._response: Body | None = None
        self._buffer = b""

    @property
    def complete(self) -> bool:
        """Both have been seen to their last byte."""
        return self.request.complete and self._response is not None and self._response.complete

    @property
    def answered(self) -> bool:
        """The response has been seen to its last byte."""
        return self._response is not None and self._response.complete

    def lose_track(self) -> None:
        """The response is not to be followed any further: nothing comes after it."""
        self.last, self._response = True, Body(UNTIL_CLOSE)

    def sent(self, data: bytes) -> None:
        """The server has written this.

        Raises:
            BadFraming: the response's end cannot be told; the server is at fault.
        """
        while data and not self.tunnel:
            if self._response is not None:
                if self._response.take(data) < len(data):
                    raise BadFraming("more than the response")
                return
            self._buffer += data
            end = self._buffer.find(b"\r\n\r\n") + 4
            if end < 4:
                if len(self._buffer) > RESPONSE_HEAD:
                    raise BadFraming("the head of the response has no end")
                return
            head, data, self._buffer = self._buffer[:end], self._buffer[end:], b""
            found = read_response(head, self._method)
            if found.length == TUNNEL:
                self.tunnel = True
            elif found.status >= 200:
                self._response = Body(found.length)
                self.last = self.last or not found.persistent
