import os
import socket
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


@pytest.fixture
def bells(tmp_path: Path):
    made = []

    def make(name: str = "a", rung=None) -> Bell:
        heard: list[str] = []
        bell = Bell(tmp_path / ("x" * 100), name, Readers(), rung or heard.append)
        bell.heard = heard
        bell.start()
        made.append(bell)
        return bell

    (tmp_path / ("x" * 100)).mkdir()  # longer than the path of a Unix socket may be
    yield make
    for bell in made:
        bell.stop()


def test_all_others_hear_it(bells) -> None:
    one, two, three = bells("a"), bells("b"), bells("b")
    one.ring("lobby")
    one.ring("hall")
    for bell in (one, two, three):
        bell.doRead()
    assert (one.heard, two.heard, three.heard) == ([], ["lobby", "hall"], ["lobby", "hall"])


def test_bells_of_the_dead_are_removed_and_others_stay(bells, tmp_path: Path) -> None:
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


def test_a_full_queue_is_no_error(bells) -> None:
    one, two = bells(), bells()
    for _ in range(2000):
        one.ring("lobby")
    two.doRead()
    assert 0 < len(two.heard) <= AT_ONCE


def test_what_fails_in_between_is_not_the_end(bells) -> None:
    def fail(room: str) -> None:
        raise RuntimeError(room)

    one, two = bells(), bells("b", fail)
    one.ring("a")
    two.doRead()
    assert two._reactor.reading == [two]


def test_it_leaves_nothing(bells, tmp_path: Path) -> None:
    bell = bells()
    bell.stop()
    assert list((tmp_path / ("x" * 100)).iterdir()) == []
    bell.stop()
    bell.doRead()
    assert bell.fileno() == -1
