"""Who sweeps: where, and again after it has failed."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from svckit.settings import Settings
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from uploadsvc.service import SWEEP_INTERVAL, make_service
from uploadsvc.store import HIDDEN, Store


class Reactor(Clock):
    """With a pool of threads that work when told."""

    def __init__(self) -> None:
        super().__init__()
        self.jobs: list[tuple[Callable[..., None], Callable[[], Any]]] = []

    def getThreadPool(self) -> "Reactor":
        return self

    def callInThreadWithCallback(self, done: Callable[..., None], job: Callable[[], Any]) -> None:
        self.jobs.append((done, job))

    def callFromThread(self, job: Callable[..., None], *given: Any) -> None:
        job(*given)

    def work(self) -> None:
        done, job = self.jobs.pop()
        try:
            result = job()
        except Exception:
            done(False, Failure())
        else:
            done(True, result)


def test_in_a_thread_and_again_after_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reactor = Reactor()
    old = tmp_path / HIDDEN / "old.part"
    old.parent.mkdir()
    old.touch()
    os.utime(old, (0, 0))
    options = {"root": str(tmp_path), "writes": "anyone"}
    janitor = make_service(Settings(service="uploads", replica="r1", state=tmp_path, options=options), reactor)  # type: ignore[arg-type]
    janitor.startService()
    assert old.exists(), "a disk may take its time: not in the reactor"

    def fail(*_: object) -> int:
        raise RuntimeError("what nobody has thought of")

    with monkeypatch.context() as broken:
        broken.setattr(Store, "sweep", fail)
        reactor.work()
    reactor.advance(SWEEP_INTERVAL)
    reactor.work()
    assert not old.exists()
    janitor.stopService()
    assert not reactor.getDelayedCalls()
