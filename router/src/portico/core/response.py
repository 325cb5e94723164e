"""Recognise the head of an HTTP/1 response, as strictly as `head` recognises that of a request.

None means "I need more"; `ResponseReader` never looks at a byte twice before the head is complete.
"""

import re
from typing import NamedTuple

from .answers import BAD_RESPONSE, Answer
from .head import FIELDS, TOKEN, has_bare_lf

__all__ = ["RESPONSE_HEAD", "PlainHeads", "ResponseHead", "ResponseReader", "is_plain", "read_response"]

RESPONSE_HEAD = 65_536
"""Bytes of the largest response head that is read."""
HEADS_KEPT = 64
"""Plain heads that are remembered."""
HEAD_KEPT = 1_024
"""Bytes of the largest one that is."""

_TEXT = rb"[\t\x20-\x7e\x80-\xff]*+"
_REASON = rb"(?: " + _TEXT + rb")?+\r\n"  # the blank before an empty reason is often missing, and nothing hangs on it

_head = re.compile(rb"HTTP/1\.([0-9]) ([1-9][0-9][0-9])" + _REASON + FIELDS + rb"\r\n").match

# Fields that say nothing about framing or this hop; "keep-alive" is what we would say ourselves.
_OTHERS = rb"(?:(?![CKPTUckptu](?i:onnection|ontent-length|eep-alive|roxy-connection|ransfer-encoding|pgrade):)" + (
    TOKEN + rb"++:" + _TEXT + rb"\r\n|[Cc]onnection: [Kk]eep-[Aa]live\r\n)*+"
)
_FRAMED = rb"(?:[Cc]ontent-[Ll]ength: ([0-9]{1,18}+)|[Tt]ransfer-[Ee]ncoding: chunked)\r\n"
is_plain = re.compile(rb"HTTP/1\.1 (?!204|304)[2-5][0-9][0-9]" + _REASON + _OTHERS + _FRAMED + _OTHERS + rb"\r\n").match
"""Nearly every final response: its end is said once and in the usual form, and it can go on as it is. Group 1 is the length, or
None for chunked. Not for the response to HEAD or CONNECT. What does not match may be sound all the same."""

_first_bytes = re.compile(rb"(?:H(?:T(?:T(?:P(?:/(?:1(?:\.(?:[0-9](?: |\Z)|\Z)|\Z)|\Z)|\Z)|\Z)|\Z)|\Z)|\Z)").match


class ResponseHead(NamedTuple):
    """A sound response head."""

    minor: int
    """Minor version: 1 for HTTP/1.1, 0 for HTTP/1.0."""
    status: int
    fields: bytes
    """The header lines, each with its CRLF."""
    end: int
    """Length of the head in bytes, the empty line included."""


def read_response(buffer: bytes) -> ResponseHead | None:
    """The head at the beginning of `buffer`, or None if it is not complete or not sound (then `ResponseReader` tells which)."""
    found = _head(buffer)
    if found is None:
        return None
    minor, status, fields = found.groups()
    return ResponseHead(int(minor), int(status), fields, found.end())


class PlainHeads:
    """Looks for plain heads, and remembers those that came lately: servers say the same again and again within a second."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[bytes, tuple[int, int | None]] = {}

    def find(self, buffer: bytes) -> tuple[int, int | None] | None:
        """Where the plain head at the beginning of `buffer` ends, and its length, None for chunked; or None as `is_plain`."""
        head = buffer[: buffer.find(b"\r\n\r\n") + 4]
        known = self._known.get(head)
        if known is not None:
            return known
        found = is_plain(buffer)
        if found is None:
            return None
        length = found[1]
        answer = found.end(), None if length is None else int(length)
        if len(head) <= HEAD_KEPT:
            if len(self._known) >= HEADS_KEPT:
                self._known.clear()
            self._known[head] = answer
        return answer


class ResponseReader:
    """Decides on a response head that comes in pieces."""

    __slots__ = ("_seen",)

    def __init__(self) -> None:
        self._seen = 0

    def read(self, buffer: bytes) -> ResponseHead | Answer | None:
        """Decide on all that has come so far; `buffer` is the one of the last call with more at its end."""
        if self._seen < 9 and not _first_bytes(buffer):
            return BAD_RESPONSE
        new = buffer[max(0, self._seen - 1) :]
        complete = buffer.find(b"\r\n\r\n", max(0, self._seen - 3))
        self._seen = len(buffer)
        if complete >= 0:
            head = read_response(buffer)
            return head if head is not None and head.end <= RESPONSE_HEAD else BAD_RESPONSE
        return BAD_RESPONSE if len(buffer) >= RESPONSE_HEAD or has_bare_lf(new) else None
