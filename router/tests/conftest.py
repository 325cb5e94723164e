"""What the router's tests share: a reactor turned by hand, the router's poller on it, an access log to look at."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from portico.poller import Poller

from .support.reactor import HandReactor
from .support.splitrig import Rig, open_sockets
from .support.wires import Answers, Logged, as_reactor


@pytest.fixture
def reactor() -> HandReactor:
    return HandReactor()


@pytest.fixture
def poller(reactor: HandReactor) -> Iterator[Poller]:
    poller = Poller()
    poller.start(as_reactor(reactor))
    yield poller
    assert not any(each is poller for each, _ in reactor.lost), "the reactor has dropped the poller"
    poller.stop(as_reactor(reactor))


@pytest.fixture
def answers() -> Answers:
    return Answers()


@pytest.fixture
def logged(reactor: HandReactor) -> Logged:
    return Logged(reactor)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short name: a Unix socket's path has 108 bytes at most."""
    made = Path(tempfile.mkdtemp(prefix="p"))
    yield made
    shutil.rmtree(made)


@pytest.fixture
def rig(reactor: HandReactor, poller: Poller, logged: Logged, answers: Answers) -> Iterator[Rig]:
    """A tcp service that is split request by request. (Where a test file has a rig of its own, that one stands.)"""
    before = open_sockets()
    rig = Rig(reactor, poller, logged, answers)
    yield rig
    rig.close()
    for arrival in rig.returned:
        arrival.close()
    assert rig.loads == [0]
    assert open_sockets() == before
