"""Short versions of the fault runs (`python -m tests.faults` has the long ones)."""

import asyncio

import pytest

from .faults.runs import RUNS, under_load
from .faults.websockets import hold
from .support.compose import Compose

pytestmark = pytest.mark.containers


@pytest.mark.parametrize("name", ["kill", "mute", "midway"])
def test_nothing_is_lost_but_what_the_dead_had_taken(compose: Compose, name: str) -> None:
    outcome = asyncio.run(under_load(compose, RUNS[name], 2, clients=8))
    assert outcome.failures == [], str(outcome)
    assert outcome.counts["right"] > 100
    assert outcome.returned > 0
    assert outcome.unlogged == 0, str(outcome)


def test_websockets_outlive_the_router(compose: Compose) -> None:
    survival = asyncio.run(hold(compose, 50))
    assert survival.failures == [], str(survival)
    assert len(survival.living) > 3
