"""Server-first protocols (FTP, SMTP, MySQL, ...): the client waits for a greeting, so it is known by saying nothing."""

from dataclasses import dataclass

from ..preface import Preface
from ..verdict import NO, YES, Verdict

__all__ = ["Silence"]


@dataclass(frozen=True, slots=True)
class Silence:
    """Has the client sent nothing for so long? Only at a connection's beginning: one that was handed back may well be idle."""

    delay: float
    """Seconds."""
    http = False

    @property
    def delays(self) -> tuple[float, ...]:
        """See `Matcher`."""
        return (self.delay,)

    def match(self, preface: Preface) -> Verdict:
        """See `Matcher`."""
        if preface.data or preface.returned:
            return NO
        return YES if preface.silent >= self.delay else preface.more

    def saw(self, preface: Preface) -> str:
        """See `Matcher`."""
        if preface.returned:
            return "the connection is not at its beginning"
        return "the client spoke" if preface.data else f"silent for {preface.silent:g} s only"

    def __str__(self) -> str:
        return f"silence {self.delay:g}"
