"""A short version of `python -m tests.journeys`: clients go from service to service while routes are reloaded."""

import tempfile
from pathlib import Path

from .journeys.runs import run


def test_each_answer_is_the_right_ones_and_nothing_is_left() -> None:
    with tempfile.TemporaryDirectory(prefix="jo") as folder:
        outcome = run(Path(folder), 1, steps=250)
    assert outcome.failures == [], str(outcome)
    assert outcome.did["asks"] > 40
    assert outcome.did["reload"]
    assert outcome.did["upgrades"]
