"""Any protocol, by its first bytes."""

import re
from dataclasses import dataclass

from ..preface import Preface
from ..verdict import NO, YES, Verdict

__all__ = ["DEFAULT_WITHIN", "LARGEST_WITHIN", "Bytes", "Pattern", "unescape"]

DEFAULT_WITHIN = 64
"""Bytes that a regular expression is shown, unless the route says otherwise."""
LARGEST_WITHIN = 4_096
"""Bytes that a regular expression is shown at most: an expression costs time, and is asked again for every piece."""

_escape = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|([nrt0\\])|)")
_MEANINGS = {"n": "\n", "r": "\r", "t": "\t", "0": "\0", "\\": "\\"}


@dataclass(frozen=True, slots=True)
class Bytes:
    """Are these the first bytes?"""

    beginning: bytes
    http = False
    delays = ()

    def match(self, preface: Preface) -> Verdict:
        """See `Matcher`."""
        data = preface.data
        if data.startswith(self.beginning):
            return YES
        return preface.more if self.beginning.startswith(data) else NO

    def saw(self, preface: Preface) -> str:
        """See `Matcher`."""
        return _shown(preface.data)

    def __str__(self) -> str:
        return f"bytes {self.beginning!r}"


@dataclass(frozen=True, slots=True)
class Pattern:
    """Do the first bytes fit this expression? It is matched from the first byte on, and shown no more than `within` bytes.

    It cannot tell "not yet" from "never", so without a match it needs more until `within` bytes are there.
    """

    expression: re.Pattern[bytes]
    within: int = DEFAULT_WITHIN
    http = False
    delays = ()

    def match(self, preface: Preface) -> Verdict:
        """See `Matcher`."""
        data = preface.data
        if self.expression.match(data, 0, self.within):
            return YES
        return preface.more if len(data) < self.within else NO

    def saw(self, preface: Preface) -> str:
        """See `Matcher`."""
        return _shown(preface.data)

    def __str__(self) -> str:
        return f"bytes like {self.expression.pattern!r} within {self.within}"


def _shown(data: bytes) -> str:
    return f"the first bytes are {data[:16]!r}" if data else "nothing was sent"


def unescape(text: str) -> bytes:
    r"""The bytes that `text` stands for: itself as UTF-8, with `\xNN`, `\r`, `\n`, `\t`, `\0` and `\\` for single bytes.

    Raises:
        ValueError: a backslash stands before something else.
    """
    parts, at = [], 0
    for found in _escape.finditer(text):
        if not found[1] and not found[2]:
            raise ValueError(
                rf"expected \xNN, \r, \n, \t, \0 or \\ at a backslash, found {text[found.start() : found.end() + 1]!r}"
            )
        parts.append(text[at : found.start()].encode("utf-8"))
        parts.append(bytes.fromhex(found[1]) if found[1] else _MEANINGS[found[2]].encode("ascii"))
        at = found.end()
    return b"".join((*parts, text[at:].encode("utf-8")))
