"""Several conditions, joined by `any`."""

from dataclasses import dataclass

from ..preface import Preface
from ..verdict import MORE, NO, YES, Verdict
from .contract import Matcher

__all__ = ["Any"]


@dataclass(frozen=True, slots=True)
class Any:
    """Does one of these hold? One that says yes is enough for a yes, whatever the others still need."""

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
        verdict = NO
        for member in self.members:
            found = member.match(preface)
            if found is YES:
                return YES
            if found is MORE:
                verdict = MORE
        return verdict

    def saw(self, preface: Preface) -> str:
        """See `Matcher`."""
        return "; ".join(member.saw(preface) for member in self.members if member.match(preface) is not YES)

    def __str__(self) -> str:
        return "any(" + ", ".join(map(str, self.members)) + ")"
