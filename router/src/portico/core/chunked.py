"""Follow a chunked body (RFC 9112 section 7.1) without changing it: where does it end, and which of its bytes are mere data?

Strict, as two programs that read a chunk's size differently are how requests are smuggled: a size is one to fifteen hexadecimal
digits and nothing else, a line ends in CRLF, an extension begins with a semicolon right after the size, and the trailer holds
sound field lines, none of which has a say in framing or routing. What is malformed is known as soon as its first wrong byte is
there, so no wrong byte is ever passed on.

The state is the current kind of line, and how much of the current chunk is to come.
"""

import re
from collections.abc import Callable

from .head import TOKEN

__all__ = ["CHUNK_LINE", "MALFORMED", "TRAILER", "Chunked"]

CHUNK_LINE = 512
"""Bytes of a chunk's size and its extensions."""
TRAILER = 4_096
"""Bytes of all trailer fields together."""
MALFORMED = -1
"""What `feed` answers when the framing is broken."""

_TEXT = rb"[\t\x20-\x7e\x80-\xff]*+"

_size = re.compile(rb"([0-9A-Fa-f]{1,15}+)(?:;" + _TEXT + rb")?+\r\n").fullmatch
_field = re.compile(rb"(" + TOKEN + rb"++):" + _TEXT + rb"\r\n").fullmatch

# The beginnings of lines that may still become sound ones.
_size_begun = re.compile(rb"(?:[0-9A-Fa-f]{1,15}+(?:;" + _TEXT + rb")?+\r?+)?").fullmatch
_end_begun = re.compile(rb"\r?").fullmatch
_field_begun = re.compile(rb"\r|(?:" + TOKEN + rb"++(?::" + _TEXT + rb"\r?+)?+)?").fullmatch

_FORBIDDEN = frozenset(
    b"connection content-length expect forwarded host keep-alive proxy-connection te trailer transfer-encoding upgrade "
    b"x-forwarded-for x-forwarded-proto".split()
)
"""Fields that must not come after the body (RFC 9110 section 6.5.1)."""


class Chunked:
    """One chunked body."""

    __slots__ = ("_begun", "_left", "_line", "_room", "_take", "complete")

    def __init__(self) -> None:
        self.complete = False
        """The whole body has been fed, the trailer included."""
        self._left = 0  # data of the current chunk that is to come
        self._line = b""  # a line that is not whole yet
        self._room = CHUNK_LINE
        self._begun: Callable[[bytes], object] = _size_begun
        self._take: Callable[[bytes], bool] = self._take_size

    @property
    def bulk(self) -> int:
        """So many bytes may be moved without a look at them (then say so by `skip`)."""
        return self._left

    def skip(self, count: int) -> None:
        """`count` bytes of `bulk` were moved unseen."""
        self._left -= count

    def feed(self, piece: bytes, start: int = 0) -> int:
        """How many bytes of `piece`, from `start` on, belong to this body; MALFORMED when its framing is broken."""
        at, end = start, len(piece)
        while at < end and not self.complete:
            if self._left:
                step = min(self._left, end - at)
                self._left -= step
                at += step
                continue
            found = piece.find(b"\n", at)
            line = self._line + piece[at : found + 1 or end]
            if len(line) > self._room:
                return MALFORMED
            if found < 0:
                self._line = line
                return end - start if self._begun(line) else MALFORMED
            self._line = b""
            at = found + 1
            if not self._take(line):
                return MALFORMED
        return at - start

    # -- one method for each kind of line

    def _take_size(self, line: bytes) -> bool:
        found = _size(line)
        if found is None:
            return False
        self._left = int(found[1], 16)
        if self._left:
            self._begun, self._take = _end_begun, self._take_end
        else:
            self._begun, self._take, self._room = _field_begun, self._take_field, TRAILER
        return True

    def _take_end(self, line: bytes) -> bool:
        self._begun, self._take = _size_begun, self._take_size
        return line == b"\r\n"

    def _take_field(self, line: bytes) -> bool:
        if line == b"\r\n":
            self.complete = True
            return True
        self._room -= len(line)
        found = _field(line)
        return found is not None and found[1].lower() not in _FORBIDDEN
