"""Several conditions, joined by `all`."""

from dataclasses import dataclass

from ..verdict import NO, YES
from .joined import Joined

__all__ = ["All"]


@dataclass(frozen=True, slots=True)
class All(Joined):
    """Do all of these hold? One that says no is enough for a no, whatever the others still need."""

    word = "all"
    decides, otherwise = NO, YES
