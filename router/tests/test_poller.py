"""The router's own epoll: one descriptor to the reactor, and no callback can take the others down."""

import os
import socket
from collections.abc import Iterator
from typing import cast

import pytest
from portico import poller as module
from portico.poller import HANGUP, READ, WRITE, Poller
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher

from .support.reactor import HandReactor


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    one, other = socket.socketpair()
    with one, other:
        yield one, other


class Calls:
    """A callback that remembers, reads, and may raise."""

    def __init__(self, sock: socket.socket, raises: Exception | None = None) -> None:
        self.sock, self.raises = sock, raises
        self.events: list[int] = []

    def __call__(self, events: int) -> None:
        self.events.append(events)
        if events & READ:
            self.sock.recv(100)
        if self.raises is not None:
            raise self.raises


def test_calls_with_the_events_that_are_there(
    reactor: HandReactor, poller: Poller, ends: tuple[socket.socket, socket.socket]
) -> None:
    one, other = ends
    calls = Calls(one)
    poller.add(one.fileno(), READ, calls)
    reactor.settle()
    assert calls.events == []
    other.send(b"x")
    reactor.settle()
    assert calls.events == [READ]


def test_the_reactor_sees_one_reader(reactor: HandReactor, poller: Poller) -> None:
    pairs = [socket.socketpair() for _ in range(20)]
    for one, _ in pairs:
        poller.add(one.fileno(), READ, Calls(one))
    assert reactor.readers == {poller}
    assert len(poller) == 20
    for one, other in pairs:
        one.close()
        other.close()


def test_a_failing_callback_does_not_take_the_others_down(reactor: HandReactor, poller: Poller) -> None:
    logged: list[LogEvent] = []
    observer = cast(ILogObserver, logged.append)
    globalLogPublisher.addObserver(observer)
    pairs = [socket.socketpair() for _ in range(5)]
    calls = [Calls(one, ValueError("broken") if index % 2 else None) for index, (one, _) in enumerate(pairs)]
    try:
        for round_ in (1, 2):
            for (one, other), call in zip(pairs, calls, strict=True):
                if round_ == 1:
                    poller.add(one.fileno(), READ, call)
                other.send(b"x")
            reactor.settle()
            assert [call.events for call in calls] == [[READ] * round_] * 5
    finally:
        globalLogPublisher.removeObserver(observer)
    assert reactor.lost == []
    failures = [event["log_failure"] for event in logged if "log_failure" in event]
    assert [failure.getErrorMessage() for failure in failures] == ["broken"] * 4
    for one, other in pairs:
        one.close()
        other.close()


def test_a_descriptor_removed_by_an_earlier_callback_of_the_batch_is_not_called(reactor: HandReactor, poller: Poller) -> None:
    pairs = [socket.socketpair() for _ in range(2)]
    called: list[int] = []

    def callback(index: int) -> None:
        called.append(index)
        for one, _ in pairs:
            poller.remove(one.fileno())

    for index, (one, other) in enumerate(pairs):
        poller.add(one.fileno(), READ, lambda _, index=index: callback(index))  # type: ignore[misc]
        other.send(b"x")
    logged: list[LogEvent] = []
    observer = cast(ILogObserver, logged.append)
    globalLogPublisher.addObserver(observer)
    reactor.settle()
    globalLogPublisher.removeObserver(observer)
    assert len(called) == 1
    assert logged == []  # left out, not failed
    assert len(poller) == 0
    for one, other in pairs:
        one.close()
        other.close()


@pytest.mark.parametrize("common", [False, True])
def test_an_event_does_not_reach_what_has_the_descriptor_since(reactor: HandReactor, poller: Poller, common: bool) -> None:
    """One callback of a batch closes another's descriptor, and something that begins then gets that number."""
    pairs = [socket.socketpair() for _ in range(2)]
    fresh, fresh_end = socket.socketpair()
    late: list[int] = []

    def callback(index: int) -> None:
        pairs[index][0].recv(1)
        other = pairs[1 - index][0].fileno()
        poller.remove(other)
        os.dup2(fresh.fileno(), other)
        if common:
            poller.add_common(other, READ, lambda descriptor, events: late.append(events))
        else:
            poller.add(other, READ, late.append)

    for index, (one, end) in enumerate(pairs):
        poller.add(one.fileno(), READ, lambda _, index=index: callback(index))  # type: ignore[misc]
        end.send(b"x")
    reactor.turn()
    assert late == []
    fresh_end.send(b"y")
    reactor.turn()
    assert late == [READ]  # nothing of its own is lost
    for sock in (fresh, fresh_end, *pairs[0], *pairs[1]):
        sock.close()


def test_change_in_and_out_of_epoll(reactor: HandReactor, poller: Poller, ends: tuple[socket.socket, socket.socket]) -> None:
    one, other = ends
    calls = Calls(one)
    poller.add(one.fileno(), 0, calls)
    other.send(b"x")
    reactor.settle()
    assert calls.events == []
    poller.change(one.fileno(), 0, WRITE)
    reactor.turn()
    assert calls.events == [WRITE]
    poller.change(one.fileno(), WRITE, READ | WRITE)
    reactor.turn()
    assert calls.events == [WRITE, READ | WRITE]
    poller.change(one.fileno(), READ | WRITE, 0)
    other.close()  # a hang-up cannot be masked; out of epoll, it does not spin
    reactor.settle()
    assert calls.events == [WRITE, READ | WRITE]
    poller.change(one.fileno(), 0, READ)
    reactor.turn()
    assert calls.events[2] & HANGUP
    poller.remove(one.fileno())


def test_remove_leaves_the_descriptor_alive(
    reactor: HandReactor, poller: Poller, ends: tuple[socket.socket, socket.socket]
) -> None:
    one, other = ends
    calls = Calls(one)
    copy = os.dup(one.fileno())  # the open file lives on elsewhere, as after a hand-over
    poller.add(one.fileno(), READ, calls)
    poller.remove(one.fileno())
    poller.remove(one.fileno())
    other.send(b"x")
    reactor.settle()
    assert calls.events == []
    assert os.read(copy, 9) == b"x"
    os.close(copy)


def test_remove_what_is_not_in_epoll_now(poller: Poller, ends: tuple[socket.socket, socket.socket]) -> None:
    one, _ = ends
    poller.add(one.fileno(), 0, Calls(one))
    poller.remove(one.fileno(), 0)
    assert len(poller) == 0
    poller.add(one.fileno(), 0, Calls(one))
    poller.remove(one.fileno())  # told wrongly that it is: no harm
    assert len(poller) == 0


def test_a_batch_is_bounded_and_the_rest_comes_next(
    reactor: HandReactor, poller: Poller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "EVENTS_AT_ONCE", 4)
    pairs = [socket.socketpair() for _ in range(10)]
    calls = [Calls(one) for one, _ in pairs]
    for (one, other), call in zip(pairs, calls, strict=True):
        poller.add(one.fileno(), READ, call)
        other.send(b"x")
    counts = []
    while reactor.turn():
        counts.append(sum(len(call.events) for call in calls))
    assert counts == [4, 8, 10]
    assert [call.events for call in calls] == [[READ]] * 10
    for one, other in pairs:
        one.close()
        other.close()


class Chain:
    """Sockets that each have something to read as soon as all have been read; counts what was read."""

    def __init__(self, poller: Poller, count: int) -> None:
        self.pairs = [socket.socketpair() for _ in range(count)]
        self.read = 0
        for one, other in self.pairs:
            poller.add(one.fileno(), READ, lambda events, one=one: self._call(one))  # type: ignore[misc]
            other.send(b"x")

    def _call(self, one: socket.socket) -> None:
        one.recv(1)
        self.read += 1
        if self.read % len(self.pairs) == 0:
            for _, other in self.pairs:
                other.send(b"x")

    def close(self) -> None:
        for pair in self.pairs:
            for sock in pair:
                sock.close()


@pytest.mark.parametrize(("count", "rounds"), [(module.BUSY, module.ROUNDS), (module.BUSY - 1, 1)])
def test_a_busy_poller_looks_again_before_the_others_get_their_turn(poller: Poller, count: int, rounds: int) -> None:
    chain = Chain(poller, count)
    poller.doRead()
    assert chain.read == rounds * count
    chain.close()
