"""Jobs that run when told."""

from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, maybeDeferred

__all__ = ["HeldJobs", "at_once"]

T = TypeVar("T")


def at_once(job: Callable[[], T]) -> "Deferred[T]":
    """Runs a job: a disk that takes no time."""
    return maybeDeferred(job)


class HeldJobs:
    """Runs jobs when told: a disk as slow as the test wants."""

    def __init__(self) -> None:
        self.jobs: list[tuple[Callable[[], Any], Deferred[Any]]] = []

    def __call__(self, job: Callable[[], Any]) -> "Deferred[Any]":
        done: Deferred[Any] = Deferred()
        self.jobs.append((job, done))
        return done

    def run_one(self) -> None:
        job, done = self.jobs.pop(0)
        maybeDeferred(job).addBoth(done.callback)

    def run_all(self) -> None:
        while self.jobs:
            self.run_one()
