"""The workers of a parent: started, told, started again, waited for. Processes are played here, and real in `tests/`."""

import signal
from collections.abc import Sequence

import pytest
from portico.drains import Drains
from portico.workers import BAD_USAGE, KILL_TIME, LONGEST_DELAY, SHORTEST_DELAY, SOON, Worker, Workers
from twisted.internet.defer import Deferred

from .support.wires import as_reactor
from .support.workers import Spawning, Stage


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.fixture
def ready(stage: Stage) -> Stage:
    for each in stage.reactor.started:
        each.ready()
    return stage


def test_they_are_started_and_say_that_they_are_ready(stage: Stage) -> None:
    assert stage.reactor.commands == [["portico", "0"], ["portico", "1"]]
    assert stage.states == ["starting", "starting"]
    stage.reactor.started[1].ready()
    assert [worker.status() for worker in stage.workers.all] == [
        {"worker": 0, "pid": 1_000, "state": "starting"},
        {"worker": 1, "pid": 1_001, "state": "ready"},
    ]


def test_one_that_dies_is_started_again_each_time_later(ready: Stage) -> None:
    reactor, delay = ready.reactor, SHORTEST_DELAY
    while delay < LONGEST_DELAY:
        reactor.started[-1].ends(number=signal.SIGKILL)
        delay = min(2 * delay, LONGEST_DELAY)
        assert ready.states == ["ready", "waiting"]
        count = len(reactor.started)
        reactor.advance(delay - 0.001)
        assert len(reactor.started) == count
        reactor.advance(0.002)
        assert len(reactor.started) == count + 1
        assert ready.states == ["ready", "starting"]
    reactor.started[-1].ready()
    reactor.advance(SOON + 1)
    reactor.started[-1].ends()  # after a good life, the shortest delay
    reactor.advance(SHORTEST_DELAY + 0.001)
    assert ready.states == ["ready", "starting"]
    assert ready.gone == []


def test_a_wrong_configuration_at_the_first_start_ends_all(stage: Stage) -> None:
    one, two = stage.reactor.started
    one.ends(BAD_USAGE)
    assert two.signals == [signal.SIGTERM]
    two.ends(number=signal.SIGTERM)  # it had not come to setting a handler
    assert stage.gone == [BAD_USAGE]


def test_a_wrong_configuration_later_ends_nothing(ready: Stage) -> None:
    one, two = ready.reactor.started
    one.ends(1)
    ready.reactor.advance(1)
    ready.reactor.started[-1].ends(BAD_USAGE)
    assert ready.states == ["waiting", "ready"]
    assert two.signals == []


def test_a_drain_waits_for_all_and_tells_the_worst(ready: Stage) -> None:
    one, two = ready.reactor.started
    ready.workers.stop(signal.SIGINT)
    ready.workers.stop(signal.SIGINT)
    assert one.signals == two.signals == [signal.SIGINT]
    assert ready.states == ["draining", "draining"]
    one.ends(1)
    assert ready.gone == []
    two.ends(0)
    assert ready.gone == [1]
    assert ready.states == ["ended", "ended"]
    ready.reactor.advance(60)
    assert len(ready.reactor.started) == 2


def test_a_drain_does_not_wait_for_what_is_not_there(ready: Stage) -> None:
    one, two = ready.reactor.started
    one.ends(1)
    ready.workers.stop()
    two.ends()
    assert ready.gone == [0]
    assert not ready.reactor.getDelayedCalls()


def test_a_second_signal_is_passed_on_and_then_they_are_killed(ready: Stage) -> None:
    one, two = ready.reactor.started
    ready.workers.stop()
    ready.workers.hurry(signal.SIGTERM)
    one.ends(128 + signal.SIGTERM)
    assert two.signals == [signal.SIGTERM] * 2
    ready.reactor.advance(KILL_TIME)
    assert two.signals[-1] == signal.SIGKILL
    assert one.signals == [signal.SIGTERM] * 2
    two.ends(number=signal.SIGKILL)
    assert ready.gone == [128 + signal.SIGTERM]


def test_a_reload_is_for_those_that_can_hear_it(stage: Stage) -> None:
    one, two = stage.reactor.started
    one.ready()
    stage.workers.reload()
    assert (one.signals, two.signals) == ([signal.SIGHUP], [])  # it would end the second one, which has no handler yet
    two.ready()
    assert two.signals == [signal.SIGHUP]  # it may have read the file before
    two.ready()
    assert two.signals == [signal.SIGHUP]
    two.over = True
    stage.workers.reload()  # it ends just now


# -- what is drained


class Asking(Drains):
    """Answers when the test says so."""

    def __init__(self) -> None:
        self.asked: list[tuple[list[int], Deferred[bytes]]] = []

    def ask(self, workers: Sequence[Worker]) -> "Deferred[bytes]":
        self.asked.append(([worker.number for worker in workers if worker.state == "ready"], Deferred()))
        return self.asked[-1][1]


def test_without_drains_a_worker_is_told_so_at_once(stage: Stage) -> None:
    assert [(each.told, each.pipes) for each in stage.reactor.started] == [([b""], set())] * 2


def test_a_worker_is_told_what_is_drained_when_the_others_have_said_so() -> None:
    reactor, drains = Spawning(), Asking()
    workers = Workers(2, lambda number: [], as_reactor(reactor), drains)
    workers.start()
    for each, (ready, answer) in zip(reactor.started, drains.asked, strict=True):
        assert (each.told, ready) == ([], [])
        answer.callback(b"{}")
        assert (each.told, each.pipes) == ([b"{}"], set())
        each.ready()
    reactor.started[0].ends(number=signal.SIGKILL)
    reactor.advance(1)
    ready, answer = drains.asked[-1]
    assert ready == [1]
    answer.callback(b"drained")
    assert [each.told for each in reactor.started] == [[b"{}"], [b"{}"], [b"drained"]]


@pytest.mark.parametrize("again", [False, True])
def test_a_worker_that_ends_before_it_could_be_told(again: bool) -> None:
    reactor, drains = Spawning(), Asking()
    workers = Workers(1, lambda number: [], as_reactor(reactor), drains)
    workers.start()
    old = reactor.started[0]
    old.pipes.clear()
    if again:
        old.ends(number=signal.SIGKILL)
        reactor.advance(1)
    drains.asked[0][1].callback(b"drained")
    assert [each.told for each in reactor.started] == [[]] * len(reactor.started)
    assert len(reactor.started) == 1 + again
