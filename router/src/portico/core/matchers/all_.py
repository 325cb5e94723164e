"""Several conditions, joined by `all`."""

from dataclasses import dataclass

from ..preface import Preface
from ..verdict import MORE, NO, YES, Verdict
from .contract import Matcher

__all__ = ["All"]


@dataclass(frozen=True, slots=True)
class All:
    """Do all of these hold? One that says no is enough for a no, whatever the others still need."""

    members: tuple[Matcher, ...]

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
        verdict = YES
        for member in self.members:
            found = member.match(preface)
            if found is NO:
                return NO
            if found is MORE:
                verdict = MORE
        return verdict

    def saw(self, preface: Preface) -> str:
        """See `Matcher`."""
        return "; ".join(member.saw(preface) for member in self.members if member.match(preface) is not YES)

    def __str__(self) -> str:
        return "all(" + ", ".join(map(str, self.members)) + ")"
