"""What comes of a request while the auth service is asked about its client.

Who may write is decided by the head alone: before `100 Continue`, before the body goes anywhere, and with reading paused.
What was under way by then, one read at most, waits in memory.
"""

from dataclasses import dataclass, field
from typing import Any

from twisted.web.http import Request

__all__ = ["WRITES", "Held", "hold"]

WRITES = frozenset({b"PUT", b"DELETE", b"POST", b"PATCH"})
"""Methods that need a login where the option `writes` says so."""


@dataclass(slots=True)
class Held:
    """The part of a request that has come already."""

    expects: bool
    """Whether the client waits for `100 Continue`."""
    pieces: list[bytes] = field(default_factory=list)
    """Of the body."""
    end: tuple[Any, ...] | None = None
    """What `requestReceived` was called with, once the body is whole."""

    @property
    def waits(self) -> bool:
        """Whether the client still waits for `100 Continue`; what it has sent without makes it needless (RFC 9110)."""
        return self.expects and not self.pieces and self.end is None


def hold(request: Request, version: bytes) -> Held:
    """Take the expectation from a request: twisted.web would send `100 Continue` at once."""
    expected = request.requestHeaders.getRawHeaders(b"Expect") or [b""]
    request.requestHeaders.removeHeader(b"Expect")
    return Held(version == b"HTTP/1.1" and expected[0].lower() == b"100-continue")
