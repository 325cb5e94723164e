"""Which counts of which nonces have been used, in both databases."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from authsvc.counts import Counts
from authsvc.store import Store

Opener = Callable[[], Store]


def test_a_count_is_good_once_whoever_asks(open_store: Opener) -> None:
    one, other = Counts(open_store().engine), Counts(open_store().engine)
    assert [one.use(b"n", 1, 1000), other.use(b"n", 1, 1000), other.use(b"n", 2, 1000), one.use(b"n", 2, 1000)] == [
        True, False, True, False,
    ]  # fmt: skip


def test_counts_may_arrive_in_any_order_and_as_high_as_they_go(open_store: Opener) -> None:
    counts = Counts(open_store().engine)
    order = [5, 3, 0xFFFFFFFF, 1, 0xFFFFFFFE]
    assert [counts.use(b"n", count, 1000) for count in order] == [True] * 5
    assert [counts.use(b"n", count, 1000) for count in order] == [False] * 5
    assert counts.use(b"m", 5, 1000)


def test_what_is_swept_away_never_is_good_again(open_store: Opener) -> None:
    one, other = Counts(open_store().engine), Counts(open_store().engine)
    for minted in (1000, 2000, 3000):
        assert one.use(b"%d" % minted, 1, minted)
    assert one.sweep(2000) == 2
    assert not other.use(b"1000", 1, 1000)
    assert not other.use(b"another", 1, 1999)
    assert not other.use(b"2000", 1, 2000)
    assert other.use(b"2000", 2, 2000)


def test_a_sweep_of_a_clock_that_is_behind_takes_nothing_back(open_store: Opener) -> None:
    counts = Counts(open_store().engine)
    counts.sweep(2000)
    counts.sweep(1000)
    assert not counts.use(b"n", 1, 1999)


def test_too_many_counts_cost_the_older_half(open_store: Opener) -> None:
    counts = Counts(open_store().engine)
    for minted in range(1, 12):
        assert counts.use(b"%d" % minted, 1, minted)
    assert counts.sweep(0, limit=11) == 11
    assert counts.sweep(0, limit=10) == 5
    assert [counts.use(b"%d" % minted, 1, minted) for minted in range(1, 12)] == [False] * 11
    assert [counts.use(b"%d" % minted, 2, minted) for minted in range(1, 12)] == [False] * 6 + [True] * 5


def test_too_many_counts_of_one_moment(open_store: Opener) -> None:
    counts = Counts(open_store().engine)
    for count in range(5):
        assert counts.use(b"n", count, 1000)
    assert counts.sweep(0, limit=4) == 0
    assert [counts.use(b"n", count, 1000) for count in range(9)] == [False] * 9
    assert counts.use(b"m", 1, 1001)


def test_of_many_processes_one_wins_each_count(tmp_path: Path, database: str) -> None:
    program = (
        "import sys; from pathlib import Path; from authsvc.store import Store; from authsvc.counts import Counts\n"
        "counts = Counts(Store(Path(sys.argv[1]), sys.argv[2], durable=False).engine); sys.stdin.read(1)\n"
        "print(sum(counts.use(b'n', count, 1000) for count in range(100)))\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path), database]
    children = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(3)]
    for child in children:
        assert child.stdin is not None
        child.stdin.write(b"x")
        child.stdin.flush()
    assert sum(int(child.communicate(timeout=60)[0]) for child in children) == 100
