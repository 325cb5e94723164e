"""Several conditions, joined by `any`."""

from dataclasses import dataclass

from ..verdict import NO, YES
from .joined import Joined

__all__ = ["Any"]


@dataclass(frozen=True, slots=True)
class Any(Joined):
    """Does one of these hold? One that says yes is enough for a yes, whatever the others still need."""

    word = "any"
    decides, otherwise = YES, NO
