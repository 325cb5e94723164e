"""What all suites share, what no test may leave behind, and how they divide over two processes (`-n 2`)."""

import gc
import sys
from collections.abc import Iterator
from typing import Any

import pytest

TOGETHER = "tests/"


def pytest_collection_finish() -> None:
    """Take what pytest itself keeps, hundreds of thousands of objects, out of the garbage collector's sight.

    Many tests collect garbage before they count descriptors, and each collection walked through all of that: a quarter of a
    second each, minutes in a run.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _nothing_left_for_later() -> Iterator[None]:
    """No test leaves a call with the global reactor.

    It would be made in the midst of whichever later test is the next to run the reactor, and fail there. Trial looks after its
    own tests in the same way.
    """
    yield
    reactor: Any = sys.modules.get("twisted.internet.reactor")
    left = [] if reactor is None else reactor.getDelayedCalls()
    found = [str(call) for call in left]
    for call in left:
        call.cancel()
    assert found == []


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """One process has all of `tests/`, in its order: there is one compose project, and deployments that many files share.

    The members' files, each whole, go to whoever is free.
    """
    from xdist.scheduler import LoadFileScheduling

    class OneDeployment(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return TOGETHER if nodeid.startswith(TOGETHER) else super()._split_scope(nodeid)

    return OneDeployment(config, log)
