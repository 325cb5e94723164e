"""The sink: order, back-pressure, and what every kind of end leaves behind."""

import errno
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.python.failure import Failure
from uploadsvc.part import Published
from uploadsvc.sink import COALESCE, HIGH, LOW, Sink
from uploadsvc.store import Store

from .held import at_once


class Recorder:
    """A flow that writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def full(self) -> None:
        self.told.append("full")

    def flowing(self) -> None:
        self.told.append("flowing")

    def failed(self, reason: Failure) -> None:
        self.told.append(f"failed {reason.value.errno}")  # type: ignore[union-attr]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path)
    store.prepare(0)
    return store


def hidden(store: Store) -> list[str]:
    return [path.name for path in store.hidden.iterdir()]


def test_a_body_in_pieces(store: Store, held: Any) -> None:
    flow = Recorder()
    sink = Sink(store.new_part(), held, flow)
    for piece in (b"ab", b"cd", b"ef"):
        sink.write(piece)
    assert len(held.jobs) == 1, "one job at a time"
    published: list[Published] = []
    sink.finish("x", False).addCallback(published.append)
    held.run_one()
    assert len(held.jobs) == 1 and not published
    held.run_all()
    assert published[0].size == sink.received == 6
    assert (store.root / "x").read_bytes() == b"abcdef"
    assert sink.closed.called and flow.told == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.tuples(st.integers(1, 3 * COALESCE), st.booleans()), max_size=30))
def test_any_cut_and_any_timing_give_the_same_file(store: Store, make_held: Any, steps: list[tuple[int, bool]]) -> None:
    held = make_held()
    sink = Sink(store.new_part(), held, Recorder())
    whole = b""
    for at, (size, let_disk) in enumerate(steps):
        piece = bytes([at]) * size
        whole += piece
        sink.write(piece)
        if let_disk and held.jobs:
            held.run_one()
    sink.finish("x", False)
    held.run_all()
    assert (store.root / "x").read_bytes() == whole


def test_where_many_share_the_memory_each_has_less(store: Store, held: Any) -> None:
    flow, share = Recorder(), [10]
    sink = Sink(store.new_part(), held, flow, lambda: share[0])
    sink.write(b"x" * 10)
    assert flow.told == []
    sink.write(b"x")
    assert flow.told == ["full"]
    held.run_one()
    assert flow.told == ["full", "flowing"]
    sink.write(b"x" * 9)
    share[0] = HIGH * 2
    sink.write(b"x" * (HIGH - 10))
    assert flow.told == ["full", "flowing"]
    sink.write(b"x" * 2)
    assert flow.told == ["full", "flowing", "full"]
    sink.abort()
    held.run_all()


def test_a_slow_disk_stops_the_flow_and_lets_it_go_on(store: Store, held: Any) -> None:
    flow = Recorder()
    sink = Sink(store.new_part(), held, flow)
    sink.write(b"x" * HIGH)
    assert flow.told == [], "HIGH itself may wait"
    sink.write(b"x")
    assert flow.told == ["full"]
    held.run_one()
    assert flow.told == ["full", "flowing"], "one byte waits, which is below LOW"
    sink.write(b"x" * (LOW + HIGH))
    held.run_one()
    assert flow.told == ["full", "flowing", "full"], "more than LOW waits"
    held.run_one()
    assert flow.told == ["full", "flowing", "full", "flowing"]
    sink.abort()
    held.run_all()


def test_full_is_said_again_to_who_does_not_listen(store: Store, held: Any) -> None:
    flow = Recorder()
    sink = Sink(store.new_part(), held, flow)
    sink.write(b"x" * (HIGH + 1))
    sink.write(b"x")
    assert flow.told == ["full", "full"]
    sink.abort()
    held.run_all()


def test_tiny_pieces_are_gathered(store: Store, held: Any) -> None:
    sink = Sink(store.new_part(), held, Recorder())
    sink.write(b"first")
    for _ in range(10_000):
        sink.write(b"xy")
    assert len(sink._queue) == 1
    sink.finish("x", False)
    held.run_all()
    assert (store.root / "x").read_bytes() == b"first" + b"xy" * 10_000


def test_abort_leaves_nothing(store: Store, held: Any) -> None:
    sink = Sink(store.new_part(), held, Recorder())
    sink.write(b"abc")
    held.run_one()
    assert len(hidden(store)) == 1
    sink.abort()
    sink.abort()
    sink.write(b"late")
    assert not sink.closed.called
    held.run_all()
    assert sink.closed.called and hidden(store) == [] and not (store.root / "x").exists()


def test_abort_while_the_disk_writes(store: Store, held: Any) -> None:
    sink = Sink(store.new_part(), held, Recorder())
    sink.write(b"abc")
    sink.write(b"def")
    sink.abort()
    held.run_one()
    assert len(held.jobs) == 1, "the pieces that waited are not written any more"
    held.run_all()
    assert sink.closed.called and hidden(store) == []


def test_abort_after_all_was_received_is_too_late(store: Store, held: Any) -> None:
    sink = Sink(store.new_part(), held, Recorder())
    sink.write(b"abc")
    sink.finish("x", False)
    sink.abort()
    held.run_all()
    assert (store.root / "x").read_bytes() == b"abc"


class FailingPart:
    """A part whose methods fail as told."""

    def __init__(self, **failures: int) -> None:
        self.failures, self.calls = failures, list[str]()

    def __getattr__(self, name: str) -> Any:
        def method(*_: object) -> None:
            self.calls.append(name)
            if name in self.failures:
                raise OSError(self.failures[name], "told to fail")

        return method


def test_a_full_disk_is_told_at_once_and_leaves_nothing(held: Any) -> None:
    part, flow = FailingPart(append=errno.ENOSPC), Recorder()
    sink = Sink(part, held, flow)
    sink.write(b"abc")
    sink.write(b"def")
    held.run_all()
    assert flow.told == [f"failed {errno.ENOSPC}"]
    assert part.calls == ["append", "discard"] and sink.closed.called
    sink.write(b"more")
    assert held.jobs == []


@pytest.mark.parametrize("where", ["append", "commit"])
@pytest.mark.parametrize("last", [False, True])
def test_failure_after_the_body_goes_to_who_finishes(held: Any, where: str, last: bool) -> None:
    part, flow = FailingPart(**{where: errno.ENOSPC}), Recorder()
    sink = Sink(part, held, flow)
    sink.write(b"abc", last)
    failures: list[Failure] = []
    sink.finish("x", False).addErrback(failures.append)
    held.run_all()
    assert failures[0].value.errno == errno.ENOSPC  # type: ignore[union-attr]
    assert part.calls[-1] == "discard" and sink.closed.called and flow.told == []


def test_failure_of_a_write_that_was_aborted_still_discards(held: Any) -> None:
    part, flow = FailingPart(append=errno.EIO), Recorder()
    sink = Sink(part, held, flow)
    sink.write(b"abc")
    sink.abort()
    held.run_all()
    assert part.calls == ["append", "discard"] and sink.closed.called and flow.told == []


def test_a_part_that_cannot_even_be_removed_closes_the_sink(held: Any) -> None:
    sink = Sink(part := FailingPart(discard=errno.EIO), held, Recorder())
    sink.abort()
    held.run_all()
    assert part.calls == ["discard"] and sink.closed.called


def test_jobs_that_run_at_once(store: Store) -> None:
    sink = Sink(store.new_part(), at_once, Recorder())
    for _ in range(5000):
        sink.write(b"x" * COALESCE)
    sink.finish("x", False)
    assert (store.root / "x").stat().st_size == 5000 * COALESCE


def test_a_small_body_takes_one_job(store: Store, held: Any) -> None:
    sink = Sink(store.new_part(), held, Recorder())
    sink.write(b"all", followed=True)
    assert held.jobs == []
    published: list[Published] = []
    sink.finish("x").addCallback(published.append)
    held.run_one()
    assert published[0].size == 3 and (store.root / "x").read_bytes() == b"all" and sink.closed.called


def test_a_turn_comes_behind_what_waits(store: Store, held: Any) -> None:
    sink = Sink(part := store.new_part(), held, flow := Recorder())
    sink.write(b"x" * (HIGH + 1), followed=True)
    turned = sink.turn(lambda: part._size)
    held.run_one()
    assert turned.result == HIGH + 1 and flow.told == ["full"], "whoever had the turn lets the flow go on"
    sink.abort()
    held.run_all()
