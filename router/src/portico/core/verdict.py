"""A matcher's answer: yes, no, or "I need more".

A verdict is no truth value, as "need more" is neither: compare with `is`. Used as one it raises, so that a forgotten
comparison does not pass for a yes.
"""

from enum import Enum
from typing import NoReturn

__all__ = ["MORE", "NO", "YES", "Verdict"]


class Verdict(Enum):
    """Three values, as in Kleene's logic."""

    YES = "yes"
    NO = "no"
    MORE = "need more"

    def __bool__(self) -> NoReturn:
        raise TypeError("a verdict has three values: compare it with `is YES`, `is NO` or `is MORE`")

    def __str__(self) -> str:
        return self.value


YES, NO, MORE = Verdict.YES, Verdict.NO, Verdict.MORE
