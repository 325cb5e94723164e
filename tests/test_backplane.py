"""A short version of `python -m tests.rooms --backplane`."""

from pathlib import Path

from .rooms.backplane import two_hosts
from .support.redis_server import RedisServer


def test_rooms_span_hosts_and_outlive_their_broker(tmp_path: Path) -> None:
    outcome, written = two_hosts(tmp_path, rooms=3, clients=12, seconds=0.5)
    assert outcome.wrong == [], f"{outcome}\n{written}"
    assert outcome.acknowledged > 30 and outcome.refused >= 6, str(outcome)
    assert outcome.codes.get(1006, 0) >= 6 and outcome.codes.get(1001, 0) >= 6, (
        f"one replica was killed, one drained: {outcome}"
    )
    assert "the backplane is away" in written
    assert RedisServer.quoted not in written and RedisServer.password not in written
