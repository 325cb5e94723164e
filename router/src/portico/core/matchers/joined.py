"""Several conditions joined into one: what `all` and `any` have in common."""

from dataclasses import dataclass
from typing import ClassVar

from ..preface import Preface
from ..verdict import MORE, YES, Verdict
from .contract import Matcher

__all__ = ["Joined"]


@dataclass(frozen=True, slots=True)
class Joined:
    """One member may decide alone, whatever the others still need."""

    members: tuple[Matcher, ...]

    word: ClassVar[str]
    """How it is written."""
    decides: ClassVar[Verdict]
    """The verdict of one member that is enough."""
    otherwise: ClassVar[Verdict]
    """What it is when all members have spoken, and none so."""

    @property
    def http(self) -> bool:
        """See `Matcher`."""
        return any(member.http for member in self.members)

    @property
    def delays(self) -> tuple[float, ...]:
        """See `Matcher`."""
        return tuple(delay for member in self.members for delay in member.delays)

    def match(self, preface: Preface) -> Verdict:
        """See `Matcher`."""
        verdict = self.otherwise
        for member in self.members:
            found = member.match(preface)
            if found is self.decides:
                return found
            if found is MORE:
                verdict = MORE
        return verdict

    def saw(self, preface: Preface) -> str:
        """See `Matcher`."""
        return "; ".join(member.saw(preface) for member in self.members if member.match(preface) is not YES)

    def __str__(self) -> str:
        return f"{self.word}({', '.join(map(str, self.members))})"
