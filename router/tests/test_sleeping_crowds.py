"""Many clients of a split service: which of them are laid down while more come, and which only by the clock."""

from collections.abc import Iterator

import pytest
from portico.targets import crowd

from .support.resting import counted, sleepers, sleeping
from .support.splitrig import OK, Rig, get
from .support.wires import Inbox


@pytest.fixture(autouse=True)
def _all_count(rig: Rig) -> Iterator[None]:
    with counted(rig):
        yield


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(crowd, "FEW", 8)
    return 8


def comes(rig: Rig, server: Inbox) -> Inbox:
    """One more client, which has one answer over the connection that is there."""
    client = rig.connect(get())
    rig.reactor.settle()
    server.sock.send(OK)
    rig.expect(client, OK)
    rig.reactor.advance(0.01)
    return client


def test_a_crowd_is_laid_down_while_it_comes(rig: Rig, few: int) -> None:
    rig.make()
    _, server = rig.kept()
    for _ in range(3 * few):
        comes(rig, server)
        assert len(rig.target._split._sessions) <= few + few // 4
    assert sleepers(rig) >= 2 * few - few // 4
    assert len(rig.target._split) == 3 * few + 1


def test_one_that_grows_slower_than_the_timer_looks_is_one_too(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two more each second, of sixteen."""
    few = 16
    monkeypatch.setattr(crowd, "FEW", few)
    rig.make()
    _, server = rig.kept()
    for _ in range(3 * few):
        comes(rig, server)
        rig.reactor.advance(0.49)
        assert len(rig.target._split._sessions) <= few + few // 4


def test_those_that_ask_all_the_time_stay_awake(rig: Rig, few: int) -> None:
    rig.make()
    client, server = rig.kept()
    for _ in range(3 * few):
        rig.exchange(client, server, get())
        comes(rig, server)
        assert any(session.arrival.client == client.sock.getsockname() for session in rig.target._split._sessions)
    assert sleepers(rig) > few


def test_one_that_was_woken_is_left_to_the_clock(rig: Rig, few: int) -> None:
    rig.make()
    client, server = rig.kept()
    for _ in range(2 * few):
        comes(rig, server)
    before = sleepers(rig)
    rig.exchange(client, server, get())  # it was one of them
    assert sleepers(rig) == before - 1
    for _ in range(2 * few):
        comes(rig, server)
        (awake,) = [each for each in rig.target._split._sessions if each.woken]  # another client's address may be the same
    assert awake.arrival.client == client.sock.getsockname()
    sleeping(rig, len(rig.target._split))
    client.sock.send(get())
    rig.reactor.settle()
    rig.reactor.pump([1.0] * int(rig.limits.idle_timeout - 5))
    assert len(rig.target._split) == 1  # each of the others by its own time
    assert rig.logged.lines[-1]["ended"] == "cR"


def test_when_all_are_busy_looks_get_rarer(rig: Rig, few: int) -> None:
    rig.make()
    for _ in range(4 * few):
        rig.connect(get())
        rig.reactor.settle()
    split = rig.target._split
    assert (sleepers(rig), len(split._sessions)) == (0, 4 * few)
    assert split._sleeping.full > 4 * few
