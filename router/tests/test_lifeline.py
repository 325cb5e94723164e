"""The worker's side of its parent: it says that it is ready, and notices its parent's end."""

import os
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from portico.lifeline import Lifeline
from portico.workers import READY

from .support.reactor import HandReactor
from .support.wires import as_reactor


@pytest.fixture
def pipes(request: pytest.FixtureRequest) -> SimpleNamespace:
    found = SimpleNamespace()
    found.from_parent, found.parent = os.pipe()
    found.heard, found.to_parent = os.pipe()
    found.open = {found.from_parent, found.parent, found.heard, found.to_parent}

    def close(*which: int) -> None:
        for descriptor in which or list(found.open):
            found.open.discard(descriptor)
            os.close(descriptor)

    found.close = close
    request.addfinalizer(close)
    return found


def lifeline(pipes: SimpleNamespace, reactor: HandReactor, lost: Callable[[], None]) -> Lifeline:
    return Lifeline(as_reactor(reactor), lost, pipes.from_parent, pipes.to_parent)


def test_a_worker_says_ready_and_notices_its_parent_s_end(reactor: HandReactor, pipes: SimpleNamespace) -> None:
    lost: list[str] = []
    made = lifeline(pipes, reactor, lambda: lost.append("lost"))
    made.start()
    assert os.read(pipes.heard, 100) == READY
    reactor.settle()
    made.connectionLost(None)  # the reactor's own end is not the parent's
    assert lost == []
    pipes.close(pipes.parent)
    reactor.until(lambda: lost)
    made.connectionLost(None)
    assert lost == ["lost"]
    assert reactor.readers == set()


def test_a_parent_that_is_gone_before_the_worker_is_ready(reactor: HandReactor, pipes: SimpleNamespace) -> None:
    lost: list[str] = []
    pipes.close(pipes.parent, pipes.heard)
    lifeline(pipes, reactor, lambda: lost.append("lost")).start()
    reactor.until(lambda: lost)
