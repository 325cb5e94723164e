"""Which names an upload may have. Pure."""

import unicodedata
from urllib.parse import quote, unquote_to_bytes

__all__ = ["LONGEST_NAME", "BadName", "check", "disposition", "from_segment", "of_text", "quoted"]

LONGEST_NAME = 255
"""Bytes in UTF-8; what Linux file systems take."""

# Characters that turn the reading direction: they make "exe.txt" out of "txt.exe" for whoever looks at a list.
_TURNING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_NO_CHARACTERS = frozenset("\ufffe\uffff")  # XML cannot have them, so an object store could not tell of such a file
_REFUSED = _TURNING | _NO_CHARACTERS
_CONTROLS = frozenset({"Cc", "Cs", "Zl", "Zp"})


class BadName(ValueError):
    """A name that no upload may have; the text says why. The answer is 400."""


def from_segment(segment: bytes) -> str:
    """The name that a path segment (in the normal form of `svckit.paths`) stands for, in NFC.

    Raises:
        BadName: it is not one plain file name.
    """
    try:
        name = unquote_to_bytes(segment).decode("utf-8")
    except UnicodeDecodeError:
        raise BadName("a name is UTF-8") from None
    return of_text(name)


def of_text(name: str) -> str:
    """`name` in NFC.

    Raises:
        BadName: it is not one plain file name.
    """
    return check(unicodedata.normalize("NFC", name))


def check(name: str) -> str:
    """`name` itself, if an upload may have it.

    Raises:
        BadName: it is not one plain file name in NFC.
    """
    if not name:
        raise BadName("a name is at least one character")
    if name.startswith("."):
        raise BadName("a name does not start with a dot")
    if "/" in name or "\\" in name:
        raise BadName("a name is one segment, without slashes")
    if any(char in _REFUSED or unicodedata.category(char) in _CONTROLS for char in name):
        raise BadName("a name has no control characters")
    if not unicodedata.is_normalized("NFC", name):
        raise BadName("a name is in NFC")
    if len(name.encode("utf-8")) > LONGEST_NAME:
        raise BadName(f"a name is at most {LONGEST_NAME} bytes")
    return name


def quoted(name: str) -> str:
    """`name` as a path segment."""
    return quote(name, safe="")


def disposition(name: str) -> bytes:
    """The Content-Disposition that makes a browser save the file under its name (RFC 6266, RFC 8187)."""
    plain = "".join(char if " " <= char <= "~" and char not in '"%' else "_" for char in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quoted(name)}".encode("ascii")
