"""What the fault runs do to a deployment, on a double of it."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from .faults import stage as module
from .faults.stage import Stage
from .support.compose import Compose

RUNS: Any = SimpleNamespace(status="running")
RESTARTS: Any = SimpleNamespace(status="restarting")


def stage(*looks: list[Any]) -> Stage:
    """The replicas of static at each look; at the last one and from then on the same."""
    left = list(looks)
    double = SimpleNamespace(containers=lambda service: left.pop(0) if len(left) > 1 else left[0])
    return Stage(cast(Compose, double), 0)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK", 0.0)


def test_the_last_replica_is_one_that_runs() -> None:
    first: Any = SimpleNamespace(status="running")
    assert stage([first, RUNS]).last() is RUNS
    assert stage([RUNS, RESTARTS]).last() is RUNS


def test_where_all_have_been_killed_it_waits_for_one() -> None:
    assert stage([], [RESTARTS], [RESTARTS, RUNS]).last() is RUNS


def test_where_none_comes_back_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STARTING", 0.01)
    with pytest.raises(TimeoutError, match="no replica of static"):
        stage([RESTARTS]).last()
