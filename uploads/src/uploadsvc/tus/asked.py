"""Which requests are tus's, and what they ask for. Pure."""

from dataclasses import dataclass

from svckit.conditional import Header
from svckit.paths import BadTarget, normalise

from ..intake import LISTS
from .heads import FOLDER

__all__ = ["Asked", "concerned"]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as its head tells it."""

    method: bytes
    """The meant one: X-HTTP-Method-Override counts."""
    path: bytes
    """In normal form."""
    header: Header
    length: int | None
    """Of the body; None for a chunked one."""
    user: str = ""


def concerned(method: bytes, target: bytes, header: Header, length: int | None) -> Asked | None:
    """The request, if it is one of tus; `target` is as on the request line."""
    try:
        path = normalise(target)
    except BadTarget:
        return None
    if path in LISTS:
        if method == b"POST" and header(b"Tus-Resumable") is not None:
            return Asked(method, path, header, length)
        return Asked(method, path, header, length) if method == b"OPTIONS" and length == 0 else None
    if not path.startswith(FOLDER):
        return None
    if method == b"POST":  # for clients that know no PATCH
        method = (header(b"X-HTTP-Method-Override") or method).strip().upper()
    return Asked(method, path, header, length)
