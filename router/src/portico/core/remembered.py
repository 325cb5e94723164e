"""Requests that came byte for byte the same lately, each with what was found out about it.

Programs ask the same again and again: checks of health, clients of an API, one page's files. A look at a dict takes the place
of reading the head, of normalising the path and of finding its route.

What is kept here is kept for long, and a core of the router would show it. So no head is remembered that may have a secret in
it: none with a query, and none that speaks of logins, cookies, tokens or keys.
"""

import re
from typing import Generic, TypeVar

__all__ = ["HEADS", "HEAD_SIZE", "Remembered"]

T = TypeVar("T")

HEADS = 256
"""Requests that are remembered; when there is one more, all are forgotten."""
HEAD_SIZE = 1_024
"""Bytes of the longest one."""

_may_be_secret = re.compile(rb"(?i)auth|bearer|cookie|cred|jwt|key|passw|pwd|secret|session|sign|token|[?@]").search


class Remembered(Generic[T]):
    """Of one router, by one table of routes."""

    def __init__(self) -> None:
        self._found: dict[bytes, T] = {}
        self.find = self._found.get
        """What was found out about this request; None where it is not remembered."""

    def add(self, request: bytes, found: T) -> None:
        """`request` is whole, and nothing else."""
        if len(request) <= HEAD_SIZE and not _may_be_secret(request):
            if len(self._found) >= HEADS:
                self._found.clear()
            self._found[request] = found

    def forget(self) -> None:
        """What was found out does not hold any more."""
        self._found.clear()
