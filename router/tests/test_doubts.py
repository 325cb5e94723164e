"""How much one service may hand back that is doubted, and how often that is said."""

from collections.abc import Iterator
from typing import cast

import pytest
from portico.doubts import DOUBTS, DOUBTS_TIME, Doubts, Foreign
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher


@pytest.fixture
def unsaid() -> Iterator[list[object]]:
    """For each warning, how many doubts before it were not told."""
    found: list[object] = []

    def observe(event: LogEvent) -> None:
        if "unsaid" in event:
            found.append(event["unsaid"])

    observer = cast(ILogObserver, observe)
    globalLogPublisher.addObserver(observer)
    yield found
    globalLogPublisher.removeObserver(observer)


def test_so_many_in_so_long(unsaid: list[object]) -> None:
    doubts = Doubts("static")
    for now in (0.0, DOUBTS_TIME, 3 * DOUBTS_TIME):
        for _ in range(DOUBTS):
            doubts.add("why", now + 0.999 * DOUBTS_TIME)
        with pytest.raises(Foreign, match="more than 512 of what it hands back in 10 s is not put through, as why"):
            doubts.add("why", now + 0.999 * DOUBTS_TIME)
    assert unsaid == [0, DOUBTS, DOUBTS]


def test_one_warning_for_many(unsaid: list[object]) -> None:
    doubts = Doubts("static")
    for now in range(24):
        doubts.add("why", float(now))
    assert unsaid == [0, 9, 9]
