"""Checksums of what is in memory and of what only the file has, in turn; and their ends."""

import hashlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from uploadsvc import sums
from uploadsvc.digests import ALGORITHMS
from uploadsvc.sums import Sums

DATA = bytes(range(256)) * 2000


@pytest.fixture
def file(tmp_path: Path) -> Iterator[int]:
    fd = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    os.write(fd, DATA)
    yield fd
    os.close(fd)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many bytes each read of a file has given."""
    found: list[int] = []
    real = os.preadv

    def preadv(*args: Any) -> int:
        found.append(real(*args))
        return found[-1]

    monkeypatch.setattr(os, "preadv", preadv)
    return found


def test_from_memory_and_from_the_file_in_turn(file: int) -> None:
    made = Sums(ALGORITHMS)
    made.add([DATA[:10], bytearray(DATA[10:20])])
    made.follow(file, 20, 300_000)
    made.follow(file, 300_020, 1)
    made.add([DATA[300_021:300_100]])
    made.follow(file, 300_100, len(DATA) - 300_100)
    for name, algorithm in ALGORITHMS.items():
        expected = algorithm()
        expected.update(DATA)
        assert name in made and made.digest(name) == expected.digest()


def test_where_nothing_is_summed_nothing_is_read(file: int, reads: list[int]) -> None:
    made = Sums({})
    made.follow(file, 0, len(DATA))
    made.add([b"abc"])
    made.stop()
    assert reads == [] and "sha-256" not in made


def test_it_is_not_far_behind(file: int, reads: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sums, "LAG", 1000)
    monkeypatch.setattr(sums, "_AT_ONCE", 500)
    made = Sums({"sha-256": hashlib.sha256})
    made.follow(file, 0, len(DATA))
    assert sum(reads) >= len(DATA) - 1000
    assert made.digest("sha-256") == hashlib.sha256(DATA).digest()


def test_after_the_end_nothing_is_read(file: int, reads: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sums, "_AT_ONCE", 500)
    made = Sums({"sha-256": hashlib.sha256})
    made.follow(file, 0, len(DATA))
    made.stop()
    before = len(reads)
    other = Sums({"sha-256": hashlib.sha256})
    other.follow(file, 0, 500)
    other.digest("sha-256")
    assert len(reads) == before + 1


def test_one_that_is_never_caught_up_with_keeps_nobody_waiting(
    file: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sums, "_TURN", 1 << 20)
    goes_on = threading.Event()
    goes_on.set()

    class Endless:
        """A file that grows as fast as it is read."""

        def __init__(self) -> None:
            self.sums = Sums({"endless": lambda: self})

        def update(self, data: memoryview) -> None:
            if goes_on.is_set():
                self.sums.follow(endless, 0, len(data))

    with (tmp_path / "endless").open("wb+", buffering=0) as sparse:
        sparse.truncate(1 << 42)
        endless, found = sparse.fileno(), list[bytes]()
        running = [Endless().sums for _ in range(sums._pool._max_workers)]
        for each in running:
            each.follow(endless, 0, 4096)
        late = Sums({"sha-256": hashlib.sha256})
        late.follow(file, 0, len(DATA))
        waiting = threading.Thread(target=lambda: found.append(late.digest("sha-256")))
        waiting.start()
        waiting.join(10)
        answered = bool(found)
        goes_on.clear()
        waiting.join(10)
        for each in running:
            each.stop()
    assert answered and found == [hashlib.sha256(DATA).digest()]


def test_a_file_that_was_cut_has_no_sum(file: int) -> None:
    made = Sums({"sha-256": hashlib.sha256})
    os.truncate(file, 100)
    with pytest.raises(OSError, match="shorter"):
        made.follow(file, 0, 200)  # where the other thread is quick, it is told here already
        made.digest("sha-256")
    with pytest.raises(OSError, match="shorter"):
        made.add([b"more"])
    made.stop()
