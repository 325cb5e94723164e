"""The list of rules: each has the section of the protocol page that says it, one sentence, and a function that tries it."""

from collections.abc import Callable
from dataclasses import dataclass

from .bench import Bench

__all__ = ["RULES", "Rule", "rule"]

Trial = Callable[[Bench], None]


@dataclass(frozen=True, slots=True)
class Rule:
    """What a replica has to keep."""

    section: str
    """A heading of `docs/handoff-protocol.md`."""
    text: str
    trial: Trial
    """Raises `Broken` where the replica breaks it."""


RULES: list[Rule] = []
"""In the order in which they are tried."""


def rule(section: str, text: str) -> Callable[[Trial], Trial]:
    """Add a function to the list."""

    def add(trial: Trial) -> Trial:
        RULES.append(Rule(section, text, trial))
        return trial

    return add
