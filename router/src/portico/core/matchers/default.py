"""Whatever nothing else matches."""

from dataclasses import dataclass

from svckit.paths import BadTarget

from ..head import Head
from ..preface import Preface
from ..verdict import MORE, NO, YES, Verdict

__all__ = ["Default"]


@dataclass(frozen=True, slots=True)
class Default:
    """Is there anything here at all? Asked last, so that what others match is theirs.

    It takes requests and what is not HTTP. It does not take what HTTP refuses (a malformed head, one that is too large or did
    not come in time), nor a client that has sent nothing: these get the router's own answer.
    """

    http = False
    delays = ()

    def match(self, preface: Preface) -> Verdict:
        """See `Matcher`."""
        if not preface.data:
            return preface.more
        http = preface.http
        if http is YES:
            return YES if self._is_sound(preface) else NO
        return http if http is MORE else YES

    @staticmethod
    def _is_sound(preface: Preface) -> bool:
        if not isinstance(preface.head, Head):
            return False
        try:
            return bool(preface.path)
        except BadTarget:
            return False

    def saw(self, preface: Preface) -> str:
        """See `Matcher`."""
        return "a request that is refused" if preface.data else "nothing was sent"

    def __str__(self) -> str:
        return "default"
