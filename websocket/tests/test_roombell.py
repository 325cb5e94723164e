import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from websocketsvc.roombell import AT_ONCE, Bell


class Readers:
    def __init__(self) -> None:
        self.reading: list[object] = []

    def addReader(self, reader: object) -> None:
        self.reading.append(reader)

    def removeReader(self, reader: object) -> None:
        self.reading.remove(reader)


class Heard(Bell):
    """Writes down what it hears, unless something else is to be done then."""

    def __init__(self, folder: Path, name: str, rung: Callable[[str], None] | None) -> None:
        self.heard: list[str] = []
        super().__init__(folder, name, Readers(), rung or self.heard.append)


@pytest.fixture
def bells(tmp_path: Path) -> Iterator[Callable[..., Heard]]:
    made = []

    def make(name: str = "a", rung: Callable[[str], None] | None = None) -> Heard:
        bell = Heard(tmp_path / ("x" * 100), name, rung)
        bell.start()
        made.append(bell)
        return bell

    (tmp_path / ("x" * 100)).mkdir()  # longer than the path of a Unix socket may be
    yield make
    for bell in made:
        bell.stop()


def test_all_others_hear_it(bells: Callable[..., Heard]) -> None:
    one, two, three = bells("a"), bells("b"), bells("b")
    one.ring("lobby")
    one.ring("hall")
    for bell in (one, two, three):
        bell.doRead()
    assert (one.heard, two.heard, three.heard) == ([], ["lobby", "hall"], ["lobby", "hall"])


def test_bells_of_the_dead_are_removed_and_others_stay(bells: Callable[..., Heard], tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 100)
    descriptor = os.open(folder, os.O_RDONLY)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as dead:
        dead.bind(f"/proc/self/fd/{descriptor}/dead.bell")
    os.close(descriptor)
    (folder / "file.bell").mkdir()
    bell, other = bells(), bells()
    bell.ring("lobby")
    assert not (folder / "dead.bell").exists()
    assert (folder / "file.bell").exists()
    other.doRead()
    assert other.heard == ["lobby"]


def test_a_full_queue_is_no_error(bells: Callable[..., Heard]) -> None:
    one, two = bells(), bells()
    for _ in range(2000):
        one.ring("lobby")
    two.doRead()
    assert 0 < len(two.heard) <= AT_ONCE


def test_what_fails_in_between_is_not_the_end(bells: Callable[..., Heard]) -> None:
    def fail(room: str) -> None:
        raise RuntimeError(room)

    one, two = bells(), bells("b", fail)
    one.ring("a")
    two.doRead()
    assert two._reactor.reading == [two]


def test_it_leaves_nothing(bells: Callable[..., Heard], tmp_path: Path) -> None:
    bell = bells()
    bell.stop()
    assert list((tmp_path / ("x" * 100)).iterdir()) == []
    bell.stop()
    bell.doRead()
    assert bell.fileno() == -1
