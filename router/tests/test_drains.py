"""What is drained, asked of the workers that run and told to one that starts."""

import json
import os
from types import SimpleNamespace

import pytest
from portico import drains
from portico.drains import ASK_TIME, Drains, told
from twisted.internet.defer import Deferred

from .support.reactor import HandReactor
from .support.wires import as_reactor

STATUS = {"services": {"app": {"drained": ["10.0.0.1:80"], "replicas": []}, "web": {"drained": []}}, "counts": {"accepted": 1}}
MORE = {"services": {"app": {"drained": ["10.0.0.2:80", "10.0.0.1:80"]}, "static": {"drained": ["/run/static/a.sock"]}}}


class Rig:
    """Workers whose answers the test sets."""

    def __init__(self, reactor: HandReactor) -> None:
        self.drains = Drains("unix:/run/{}".format, as_reactor(reactor))
        self.workers: list[SimpleNamespace] = []
        self.answers: list[tuple[int, bytes]] = []

    def worker(self, answer: object, state: str = "ready", status: int = 200) -> None:
        self.workers.append(SimpleNamespace(number=len(self.workers), state=state))
        self.answers.append((status, answer if isinstance(answer, bytes) else json.dumps(answer).encode()))

    def fetch(self, admin: str, path: str) -> tuple[int, bytes]:
        assert path == "/status"
        return self.answers[int(admin.removeprefix("unix:/run/"))]

    def ask(self) -> object:
        found: list[bytes] = []
        self.drains.ask(self.workers).addCallback(found.append)  # type: ignore[arg-type]
        (said,) = found
        return json.loads(said)


@pytest.fixture
def rig(reactor: HandReactor, monkeypatch: pytest.MonkeyPatch) -> Rig:
    rig = Rig(reactor)
    monkeypatch.setattr(drains, "fetch", rig.fetch)
    return rig


def test_what_any_of_them_holds_is_drained(rig: Rig) -> None:
    rig.worker(STATUS)
    rig.worker(MORE)
    assert rig.ask() == {"app": ["10.0.0.1:80", "10.0.0.2:80"], "static": ["/run/static/a.sock"]}


def test_only_those_that_are_ready_are_asked(rig: Rig) -> None:
    rig.worker(STATUS)
    rig.worker(MORE, "starting")
    rig.worker(MORE, "waiting")
    assert rig.ask() == {"app": ["10.0.0.1:80"]}


def test_they_forget_it_with_the_replica_and_so_does_the_parent(rig: Rig) -> None:
    rig.worker(STATUS)
    assert rig.ask() == {"app": ["10.0.0.1:80"]}
    rig.answers[0] = 200, b"{}"
    assert rig.ask() == {}
    rig.workers.clear()
    assert rig.ask() == {}


@pytest.mark.parametrize("answer", [(0, b"no answer"), (503, b"{}"), (200, b"{"), (200, b'{"services": 3}')])
def test_where_none_answers_it_is_what_they_said_last(rig: Rig, answer: tuple[int, bytes]) -> None:
    assert rig.ask() == {}
    rig.worker(MORE)
    before = rig.ask()
    rig.answers[0] = answer
    assert rig.ask() == before
    rig.worker(STATUS)  # one that does answer is enough
    assert rig.ask() == {"app": ["10.0.0.1:80"]}


def test_one_that_hangs_is_not_waited_for(rig: Rig, reactor: HandReactor, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.worker(STATUS)
    monkeypatch.setattr(drains, "deferToThreadPool", lambda *_: Deferred())
    found: list[bytes] = []
    rig.drains.ask(rig.workers).addCallback(found.append)  # type: ignore[arg-type]
    reactor.advance(ASK_TIME - 0.01)
    assert found == []
    reactor.advance(0.02)
    assert found == [b"{}"]


@pytest.mark.parametrize(("said", "drained"), [(b"", {}), (b"{}", {}), (b'{"app":["10.0.0.1:80"]}', {"app": ["10.0.0.1:80"]})])
def test_a_worker_reads_it_to_the_end(said: bytes, drained: object) -> None:
    heard, parent = os.pipe()
    os.write(parent, said)
    os.close(parent)
    assert told(heard) == drained
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(heard)


def test_a_parent_that_ends_in_the_middle() -> None:
    heard, parent = os.pipe()
    os.write(parent, b'{"app":')
    os.close(parent)
    assert told(heard) == {}
