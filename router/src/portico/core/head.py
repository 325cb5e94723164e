"""Recognise the head of an HTTP/1 request: is it there, is it sound, and what does it ask for?

Nearly always the whole head is there at the first read, and one regular expression says everything (`read_head`). Where it is
not, `HeadReader` is asked again for every new piece. It answers None for "I need more", and it never looks at a byte twice
before the head is complete: a client that sends single bytes costs no more than one that sends all at once.

Strict where leniency has been somebody's hole (RFC 9112): lines end in CRLF, a bare LF or CR is refused; no white space before
the colon; no folded lines; no NUL or other control byte; one space between the parts of the request line. One empty line
before the request line is let through (section 2.2).

Every expression is possessive (`++`, `*+`): it never goes back, so no head takes longer than its length.
"""

import re
from typing import NamedTuple

from .answers import BAD_REQUEST, HEAD_TOO_LARGE, MANY_FIELDS, NOT_HTTP, VERSION, Answer

__all__ = ["DEFAULT_FIELDS", "FIELDS", "TOKEN", "Head", "HeadReader", "has_bare_lf", "read_head", "request_line"]

DEFAULT_FIELDS = 128
"""Header fields of a request; the router's own limit is `limits.head_fields`."""

TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
_METHOD = rb"[A-Za-z_-]{1,32}+"  # no registered method has more; tells HTTP from other protocols at the first bytes
_REQUEST_LINE = rb"(?:\r\n)?+(" + _METHOD + rb") ([\x21-\x7e\x80-\xff]++) HTTP/([0-9])\.([0-9])\r\n"
FIELDS = rb"((?:" + TOKEN + rb"++:[\t\x20-\x7e\x80-\xff]*+\r\n)*+)"

_head = re.compile(_REQUEST_LINE + FIELDS + rb"\r\n").match
request_line = re.compile(_REQUEST_LINE).match
"""A sound request line; its groups are method, target, and the two numbers of the version, of which the first may be any."""
_first_bytes = re.compile(rb"(?:\r(?:\n|\Z))?+(?:" + _METHOD + rb"(?: |\Z)|\Z)").match
_version_of = re.compile(rb"\S+ \S+ HTTP/(?!1\.)[0-9](?:\.[0-9])?\r\n").match


class Head(NamedTuple):
    """A sound request head."""

    method: bytes
    target: bytes
    minor: int
    """Minor version: 1 for HTTP/1.1, 0 for HTTP/1.0."""
    fields: bytes
    """The header lines, each with its CRLF."""
    end: int
    """Length of the head in bytes, the empty line included; what follows is body, or the next request."""


def read_head(buffer: bytes) -> Head | None:
    """The head at the beginning of `buffer`, or None if it is not complete or not sound (then `HeadReader` tells which)."""
    found = _head(buffer)
    if found is None or found[3] != b"1":
        return None
    return Head(found[1], found[2], int(found[4]), found[5], found.end())


class HeadReader:
    """Decides on a head that comes in pieces."""

    __slots__ = ("_limit", "_most_fields", "_seen", "_sound")

    def __init__(self, limit: int, most_fields: int = DEFAULT_FIELDS, place: tuple[int, bool] = (0, False)) -> None:
        """`limit` is the largest head, in bytes; `most_fields` is how many header fields it may have.

        `place` is that of a reader before it, which had come so far with the same bytes.
        """
        self._limit, self._most_fields = limit, most_fields
        self._seen, self._sound = place

    @property
    def place(self) -> tuple[int, bool]:
        """How many bytes it has looked at, and whether the request line is sound."""
        return self._seen, self._sound

    def read(self, buffer: bytes) -> Head | Answer | None:
        """Decide on all that has come so far; `buffer` is the one of the last call with more at its end."""
        if not self._sound:
            if not _first_bytes(buffer):
                return NOT_HTTP
            refused = self._check_request_line(buffer)
            if refused is not None:
                return refused
        # from one byte (for LF) or three (for the empty line) before what is new
        new = buffer[max(0, self._seen - 1) :]
        complete = buffer.find(b"\r\n\r\n", max(0, self._seen - 3))
        self._seen = len(buffer)
        if complete >= 0:
            head = read_head(buffer)
            if head is None or head.end > self._limit:
                return BAD_REQUEST if head is None else HEAD_TOO_LARGE
            return MANY_FIELDS if head.fields.count(b"\n") > self._most_fields else head
        if has_bare_lf(new):
            return BAD_REQUEST
        return HEAD_TOO_LARGE if len(buffer) >= self._limit else None

    def _check_request_line(self, buffer: bytes) -> Answer | None:
        """Look at the request line once, as soon as it is whole."""
        end = buffer.find(b"\n", max(2, self._seen))
        if end < 0:
            return None
        self._sound = True
        if request_line(buffer) is None or _version_of(buffer.removeprefix(b"\r\n")):
            return VERSION if _version_of(buffer.removeprefix(b"\r\n")) else BAD_REQUEST
        return None


def has_bare_lf(piece: bytes) -> bool:
    """Whether an LF in `piece` has no CR before it; the first byte is the last one of the piece before."""
    found = piece.count(b"\n") - piece.count(b"\r\n")
    return found > 1 or (found == 1 and not piece.startswith(b"\n"))
