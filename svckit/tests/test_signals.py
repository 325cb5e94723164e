"""The end of a process by signals: the first one drains, the second one does not wait."""

import os
import signal
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest
from svckit.signals import KILLED, Ending
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher


class Reactor:
    """Remembers what it is asked for."""

    def __init__(self) -> None:
        self.started: list[Callable[[], None]] = []
        self.from_threads: list[tuple[Any, ...]] = []
        self.stops = 0

    def callWhenRunning(self, call: Callable[[], None]) -> None:
        self.started.append(call)

    def callFromThread(self, *call: Any) -> None:
        self.from_threads.append(call)

    def stop(self) -> None:
        assert self.stops == 0, "stopped twice is an error to a reactor"
        self.stops += 1


class Exited(BaseException):
    """The process would be gone."""


@pytest.fixture
def reactor() -> Reactor:
    return Reactor()


@pytest.fixture
def exits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    statuses: list[int] = []

    def leave(status: int) -> None:
        statuses.append(status)
        raise Exited

    monkeypatch.setattr(os, "_exit", leave)
    return statuses


@pytest.fixture
def events() -> Iterator[list[LogEvent]]:
    heard: list[LogEvent] = []
    observer = cast(ILogObserver, heard.append)
    globalLogPublisher.addObserver(observer)
    yield heard
    globalLogPublisher.removeObserver(observer)


@pytest.fixture
def handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_handlers_come_with_the_reactor_and_wait_for_its_turn(
    reactor: Reactor, handlers: None, number: signal.Signals
) -> None:
    before = signal.getsignal(number)
    ending = Ending(reactor)  # type: ignore[arg-type]
    assert signal.getsignal(number) is before
    for call in reactor.started:
        call()
    signal.raise_signal(number)
    assert reactor.stops == 0
    ((call, *arguments),) = reactor.from_threads
    assert (call, arguments) == (ending.signalled, [number])


def test_the_first_one_stops_the_reactor(reactor: Reactor, exits: list[int]) -> None:
    Ending(reactor).signalled(signal.SIGTERM)  # type: ignore[arg-type]
    assert (reactor.stops, exits) == (1, [])


@pytest.mark.parametrize(("second", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_the_second_one_ends_the_process(
    reactor: Reactor, exits: list[int], events: list[LogEvent], second: signal.Signals, status: int
) -> None:
    written: list[str] = []
    ending = Ending(reactor, lambda: written.append("the last lines"))  # type: ignore[arg-type]
    ending.signalled(signal.SIGINT)
    assert written == []
    del events[:]
    with pytest.raises(Exited):
        ending.signalled(second)
    assert (reactor.stops, exits, written) == (1, [status], ["the last lines"])
    (event,) = events
    assert event["signal"] == second.name
    assert "log_failure" not in event


def test_a_failure_to_write_does_not_keep_it(reactor: Reactor, exits: list[int]) -> None:
    def fail() -> None:
        raise OSError("the pipe is closed")

    ending = Ending(reactor, fail)  # type: ignore[arg-type]
    ending.stop()
    with pytest.raises(Exited):
        ending.signalled(signal.SIGTERM)
    assert exits == [KILLED + signal.SIGTERM]


def test_stopped_for_another_reason_one_signal_is_enough_and_stopping_twice_no_error(
    reactor: Reactor, exits: list[int]
) -> None:
    ending = Ending(reactor)  # type: ignore[arg-type]
    ending.stop()
    ending.stop()
    with pytest.raises(Exited):
        ending.signalled(signal.SIGINT)
    assert (reactor.stops, exits) == (1, [130])
