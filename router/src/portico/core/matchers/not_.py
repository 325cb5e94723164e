"""The opposite of a condition."""

from dataclasses import dataclass

from ..preface import Preface
from ..verdict import NO, YES, Verdict
from .contract import Matcher

__all__ = ["Not"]


@dataclass(frozen=True, slots=True)
class Not:
    """Does this not hold? Undecided for as long as the condition is."""

    member: Matcher

    @property
    def http(self) -> bool:
        """See `Matcher`."""
        return self.member.http

    @property
    def delays(self) -> tuple[float, ...]:
        """See `Matcher`."""
        return self.member.delays

    def match(self, preface: Preface) -> Verdict:
        """See `Matcher`."""
        found = self.member.match(preface)
        return NO if found is YES else YES if found is NO else found

    def saw(self, preface: Preface) -> str:
        """See `Matcher`."""
        return f"{self.member} holds"

    def __str__(self) -> str:
        return f"not({self.member})"
