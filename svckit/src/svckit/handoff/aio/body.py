"""Where a message's body ends (RFC 9112 sections 6 and 7): so many bytes, chunks, or all until the connection ends.

Nothing is changed or taken away, only counted. Strict where two readers could disagree, as that is how requests are smuggled:
a chunk's size is one to fifteen hexadecimal digits, an extension begins right after it, each line ends in CRLF.
"""

import re

__all__ = ["CHUNKED", "UNTIL_CLOSE", "BadFraming", "Body"]

CHUNKED = -1
UNTIL_CLOSE = -2
LINE = 512
"""Bytes of a chunk's size and its extensions."""
TRAILER = 4_096
"""Bytes of all trailer fields together."""

_size = re.compile(rb"([0-9A-Fa-f]{1,15}+)(?:;[\t\x20-\x7e\x80-\xff]*+)?+\r\n").fullmatch
_field = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++:[\t\x20-\x7e\x80-\xff]*+\r\n").fullmatch
_SIZE, _AFTER_CHUNK, _TRAILER = range(3)


class BadFraming(ValueError):
    """The message's end cannot be told for certain."""


class Body:
    """One body that is being followed."""

    __slots__ = ("_expects", "_left", "_line", "_room", "complete")

    def __init__(self, length: int) -> None:
        """`length` in bytes, or CHUNKED, or UNTIL_CLOSE."""
        self.complete = length == 0
        """Its last byte has gone by; the rest belongs to the next message."""
        self._left = length if length >= 0 else 0
        self._expects = None if length >= 0 else _SIZE
        if length == UNTIL_CLOSE:
            self._left, self._expects = 1 << 62, None
        self._line, self._room = b"", LINE

    def take(self, data: bytes | bytearray, at: int = 0) -> int:
        """How many bytes of `data`, from `at` on, belong to this body.

        Raises:
            BadFraming: it is chunked, and not as it should be.
        """
        start, end = at, len(data)
        while at < end and not self.complete:
            if self._left:
                step = min(self._left, end - at)
                self._left -= step
                at += step
                self.complete = self._expects is None and not self._left
                continue
            found = data.find(b"\n", at)
            stop = found + 1 or end
            line = self._line + bytes(data[at : min(stop, at + self._room + 1)])
            if len(line) > self._room:
                raise BadFraming("a line of the chunked body is too long")
            at, self._line = stop, b"" if found >= 0 else line
            if found >= 0:
                self._take_line(line)
        return at - start

    def _take_line(self, line: bytes) -> None:
        if self._expects == _SIZE:
            size = _size(line)
            if size is None:
                raise BadFraming("not the size of a chunk")
            self._left = int(size[1], 16)
            self._expects = _AFTER_CHUNK if self._left else _TRAILER
            self._room = 2 if self._left else TRAILER
        elif self._expects == _AFTER_CHUNK:
            if line != b"\r\n":
                raise BadFraming("a chunk is longer than its size")
            self._expects, self._room = _SIZE, LINE
        elif line == b"\r\n":
            self.complete = True
        elif _field(line) is None:
            raise BadFraming("not a trailer field")
        else:
            self._room -= len(line)
