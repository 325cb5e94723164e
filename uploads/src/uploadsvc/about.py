"""What is known of a file that stands, whatever the store is."""

from collections.abc import Callable
from dataclasses import dataclass

from .refusals import FAILED_PRECONDITION

__all__ = ["About", "Entry", "Holds", "HoldsNoLonger"]


@dataclass(frozen=True, slots=True)
class About:
    """Of one file."""

    etag: bytes
    size: int
    modified: int
    """Seconds since 1970."""


Holds = Callable[[About | None], bool]
"""Whether the preconditions of a request hold for a file; None: there is none."""


class HoldsNoLonger(Exception):
    """The preconditions of a request held when it began, and somebody has changed the file since. The answer is 412."""

    refusal = FAILED_PRECONDITION


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the list."""

    name: str
    size: int
    modified: int
