"""Short versions of the runs of rooms (`python -m tests.rooms` has the long ones)."""

import asyncio
from collections.abc import Iterator

import pytest

from .rooms.host import Host, host
from .rooms.runs import scale_while_talking, stopped_reader


@pytest.fixture(scope="module")
def rooms() -> Iterator[Host]:
    with host(drain_time=0.2) as made:
        yield made


def test_a_reader_that_stops_holds_nobody_up(rooms: Host) -> None:
    reading = asyncio.run(stopped_reader(rooms, 50_000))
    assert reading.outcome.wrong == [], f"{reading}\n{rooms.log()}"
    assert reading.outcome.connections == 5
    assert reading.memory < 24 << 20


def test_rooms_move_and_nothing_acknowledged_is_missed(rooms: Host) -> None:
    outcome = asyncio.run(scale_while_talking(rooms, rooms=4, clients=12, seconds=0.4, kill=True))
    assert outcome.wrong == [], f"{outcome}\n{rooms.log()}"
    assert outcome.codes.get(1012, 0) + outcome.codes.get(1001, 0) + outcome.codes.get(1006, 0) >= 12, str(outcome)
    assert outcome.acknowledged > 50
