"""Small files gather while others are at the disk."""

from functools import partial
from typing import Any

import pytest
from twisted.internet.task import Clock
from uploadsvc import together
from uploadsvc.small import Small
from uploadsvc.together import Together


def named(name: str) -> Small:
    return Small(name, [name.encode()], len(name))


class Disk:
    """Writes down which files came together; what comes of a file is its name."""

    def __init__(self) -> None:
        self.jobs: list[list[str]] = []
        self.failure: Exception | None = None

    def __call__(self, files: Any) -> Any:
        self.jobs.append([file.name for file in files])
        if self.failure is not None:
            raise self.failure
        return [file.name for file in files]


class Scene:
    def __init__(self, held: Any, at_once: Any = None) -> None:
        self.clock, self.disk, self.held = Clock(), Disk(), held
        self.together = Together(self.disk, held, self.clock, at_once)
        self.told: list[Any] = []
        self.slow: list[str] = []

    def put(self, names: str) -> None:
        for name in names:
            self.together.put(named(name), self.told.append, partial(self.slow.append, name))


@pytest.fixture
def scene(held: Any) -> Scene:
    return Scene(held)


def test_those_of_one_turn_are_one_job(scene: Scene) -> None:
    scene.put("ab")
    assert not scene.held.jobs, "more may come in this turn"
    scene.clock.advance(0)
    scene.put("c")
    scene.clock.advance(0)
    assert len(scene.held.jobs) == 1 and scene.told == []
    scene.put("d")
    scene.held.run_one()
    assert scene.told == ["a", "b"]
    scene.clock.advance(0)
    scene.held.run_one()
    assert scene.told == list("abcd") and scene.disk.jobs == [["a", "b"], ["c", "d"]]
    scene.clock.advance(0)
    assert not scene.held.jobs
    scene.put("e")
    scene.clock.advance(0)
    scene.held.run_one()
    assert scene.told[-1] == "e"


def test_a_job_has_its_bound(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(together, "MOST", 3)
    scene.put("abcdefg")
    for _ in range(3):
        scene.clock.advance(0)
        scene.held.run_one()
    assert scene.disk.jobs == [["a", "b", "c"], ["d", "e", "f"], ["g"]] and scene.told == list("abcdefg")


def test_a_job_that_fails_fails_for_each_and_is_not_the_last(scene: Scene) -> None:
    scene.disk.failure = ValueError("no")
    scene.put("ab")
    scene.clock.advance(0)
    scene.held.run_one()
    assert scene.told == [scene.disk.failure] * 2
    scene.disk.failure = None
    scene.put("c")
    scene.clock.advance(0)
    scene.held.run_one()
    assert scene.told[-1] == "c"


def test_one_who_cannot_bear_it_takes_nothing_from_the_others(scene: Scene) -> None:
    def fail(result: Any) -> None:
        raise ValueError(result)

    scene.together.put(named("a"), fail, int)
    scene.put("b")
    scene.clock.advance(0)
    scene.held.run_one()
    assert scene.told == ["b"]


def test_where_no_thread_is_needed_the_reactor_has_its_turn(held: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(together, "MOST_AT_ONCE", 2)
    at_once = Disk()
    scene = Scene(held, at_once)
    scene.put("abc")
    scene.clock.advance(0)
    assert at_once.jobs == [["a", "b"], ["c"]] and scene.told == ["a", "b", "c"] and not held.jobs and not scene.slow


def test_a_failure_that_nobody_thought_of_is_not_the_last(held: Any) -> None:
    at_once = Disk()
    scene = Scene(held, at_once)
    at_once.failure = ValueError("no")
    scene.put("ab")
    scene.clock.advance(0)
    assert scene.told == [at_once.failure] * 2
    at_once.failure = None
    scene.put("c")
    scene.clock.advance(0)
    assert scene.told[-1] == "c" and not held.jobs


def test_where_it_would_take_long_a_thread_does_it(held: Any) -> None:
    scene = Scene(held, lambda files: None)
    scene.put("ab")
    scene.clock.advance(0)
    assert scene.told == []
    held.run_one()
    assert scene.told == ["a", "b"] and scene.disk.jobs == [["a", "b"]]


def test_who_waits_for_a_thread_hears_of_it(held: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(together, "MOST_AT_ONCE", 1)
    answers = iter([None, ["b"], None])
    scene = Scene(held, lambda files: next(answers))
    scene.put("ab")
    assert scene.slow == [], "not yet"
    scene.clock.advance(0)
    assert scene.slow == ["a", "b"], "the second has to wait for the first one's"
    scene.put("c")
    assert scene.slow == ["a", "b", "c"]
    held.run_one()
    scene.clock.advance(0)
    assert scene.told == ["a", "b"] and scene.slow == ["a", "b", "c", "c"]
    held.run_one()
    assert scene.told == ["a", "b", "c"]
