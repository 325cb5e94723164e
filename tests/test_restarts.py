"""A short version of `python -m tests.restarts`: routers come and go on one port, and no request is lost."""

import asyncio
import tempfile
from pathlib import Path

import pytest

from .faults.load import KINDS
from .restarts.runs import replace


@pytest.mark.parametrize("way", ["overlapping", "alone"])
def test_no_request_is_lost_when_routers_are_replaced(way: str) -> None:
    with tempfile.TemporaryDirectory(prefix="rs") as folder:
        # without the late ones: how long a client may be silent is the machine's affair here, and tested elsewhere
        outcome = asyncio.run(replace(Path(folder), way, 5, 10, (*KINDS, "in pieces")))
    assert outcome.failures == [], str(outcome)
    assert outcome.counts["right"] > 100
