"""A short version of `python -m tests.idling`: connections fall idle, and go on or end in every way, as the router changes."""

import tempfile
from pathlib import Path

from .idling.runs import run

CONNECTIONS = 850
"""More than a service has as objects (`portico.targets.crowd`)."""


def test_nothing_is_lost_and_nothing_is_left() -> None:
    with tempfile.TemporaryDirectory(prefix="id") as folder:
        outcome = run(Path(folder), ["gone", "silent", "drain"], CONNECTIONS, 1)
    assert outcome.failures == [], str(outcome)
    assert outcome.did.total() == 3 * CONNECTIONS
    assert not any(name.endswith("nothing") for name in outcome.did), str(outcome)
