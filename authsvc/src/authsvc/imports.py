"""Reading the files in which Apache keeps its users.

    htpasswd    alice:$2y$05$...                one hash of the password; logs in by Basic
    htdigest    alice:realm:0123456789abcdef... H(A1) by MD5 for one realm; logs in by Digest there

A file is taken as a whole or not at all.
"""

import re
from collections.abc import Callable, Iterator

from svckit.auth.limits import MAX_REALM

from .foreign import check_foreign
from .hashing import Record, check_name

__all__ = ["FORMATS", "read_htdigest", "read_htpasswd"]

_MD5 = re.compile(rb"[0-9a-fA-F]{32}\Z").match


def read_htpasswd(text: bytes) -> list[Record]:
    """Raises: ValueError: naming the line, and never what stands there as a hash."""
    return [_from_htpasswd(number, line) for number, line in _lines(text)]


def read_htdigest(text: bytes) -> list[Record]:
    """Raises: ValueError: naming the line, and never what stands there as a hash."""
    return [_from_htdigest(number, line) for number, line in _lines(text)]


FORMATS: dict[str, Callable[[bytes], list[Record]]] = {"htpasswd": read_htpasswd, "htdigest": read_htdigest}


def _lines(text: bytes) -> Iterator[tuple[int, bytes]]:
    for number, line in enumerate(text.split(b"\n"), 1):
        stripped = line.strip()
        if stripped and not stripped.startswith(b"#"):
            yield number, stripped


def _from_htpasswd(number: int, line: bytes) -> Record:
    name, colon, stored = line.partition(b":")
    if not colon:
        raise ValueError(f"line {number}: expected USER:HASH")
    try:
        check_name(name)
        hashed = stored.decode("ascii", "replace")
        check_foreign(hashed)
    except ValueError as error:
        raise ValueError(f"line {number}: {error}") from None
    return Record(name, hashed, {})


def _from_htdigest(number: int, line: bytes) -> Record:
    name, _, rest = line.partition(b":")
    realm, colon, ha1 = rest.rpartition(b":")  # a realm may have colons, the hash has none
    if not colon or _MD5(ha1) is None:
        raise ValueError(f"line {number}: expected USER:REALM:HASH, with 32 hex digits")
    if not 1 <= len(realm) <= MAX_REALM:
        raise ValueError(f"line {number}: a realm has 1 to {MAX_REALM} bytes")
    try:
        check_name(name)
    except ValueError as error:
        raise ValueError(f"line {number}: {error}") from None
    return Record(name, "", {(realm, "MD5"): ha1.lower()})
