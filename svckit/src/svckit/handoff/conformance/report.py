"""Try every rule, one after the other, and tell how it went."""

import os
import signal
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from ...settings import HAND_BACK_TIMEOUT
from . import custody, draining, errors, returning, taking  # noqa: F401  # importing is registering
from .bench import TAKE_TIMEOUT, Bench, Broken
from .rules import RULES, Rule

__all__ = ["Outcome", "check", "tell"]

_ORDER = (
    "Where they meet",
    "Packets",
    "The course of a link",
    "Custody",
    "Revocation",
    "Withdrawal",
    "Handing back",
    "Errors",
    "Drain",  # last: there is no replica after it
)


class Outcome(NamedTuple):
    """How one rule went."""

    rule: Rule
    problem: str | None
    """What the replica did wrong; None: it keeps the rule."""
    tried: bool = True


def check(
    socket: Path,
    path: str = "/",
    stop: Callable[[], None] | None = None,
    without: Iterable[str] = (),
    patience: float = 5.0,
    told: Callable[[Outcome], None] = lambda outcome: None,
    hand_back_timeout: float = HAND_BACK_TIMEOUT,
    take_timeout: float = TAKE_TIMEOUT,
) -> list[Outcome]:
    """Try every rule on the replica at `socket`.

    `path` is one that its service answers, `stop` tells it to drain (without it that is not tried), `without` names sections to
    leave out, `patience` is how many seconds count as never. `told` hears of each outcome at once. `hand_back_timeout` is how
    many seconds the replica waits for a router to hand back to; one rule waits as long. `take_timeout` is that of the routers.
    """
    bench = Bench(socket, path, stop, patience, hand_back_timeout, take_timeout)
    left_out = {*without, *(("Drain",) if stop is None else ())}
    outcomes = []
    for rule in sorted(RULES, key=lambda rule: _ORDER.index(rule.section)):
        outcome = Outcome(rule, None, tried=False) if rule.section in left_out else _try(rule, bench)
        outcomes.append(outcome)
        told(outcome)
    return outcomes


def _try(rule: Rule, bench: Bench) -> Outcome:
    try:
        with bench.one_rule():
            rule.trial(bench)
    except Broken as error:
        return Outcome(rule, str(error))
    except OSError as error:
        return Outcome(rule, f"the trial ended with {error}")
    return Outcome(rule, None)


def tell(
    socket: Path,
    path: str,
    pid: int | None,
    without: Iterable[str],
    patience: float,
    hand_back_timeout: float = HAND_BACK_TIMEOUT,
    take_timeout: float = TAKE_TIMEOUT,
) -> bool:
    """Print the list as it grows; whether every rule that was tried is kept."""
    section = ""

    def one(outcome: Outcome) -> None:
        nonlocal section
        if outcome.rule.section != section:
            section = outcome.rule.section
            print(section)
        word = "broken" if outcome.problem else "kept" if outcome.tried else "not tried"
        print(f"  {word:9}  {outcome.rule.text}", flush=True)
        if outcome.problem:
            print(f"             {outcome.problem}", flush=True)

    stop = None if pid is None else lambda: os.kill(pid, signal.SIGTERM)
    outcomes = check(socket, path, stop, without, patience, one, hand_back_timeout, take_timeout)
    outcomes = [outcome for outcome in outcomes if outcome.tried]
    broken = sum(outcome.problem is not None for outcome in outcomes)
    print(f"{len(outcomes) - broken} of {len(outcomes)} rules are kept")
    return not broken
