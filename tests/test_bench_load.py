"""What `make bench` does about contenders that fail under load or end, and where it runs them."""

import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import Popen
from types import SimpleNamespace
from typing import cast

import pytest

from bench import quiet
from bench import run as bench_run
from bench.__main__ import ENDING, end
from bench.form import QUICK
from bench.machine import placed
from bench.router import stage as staging
from bench.router.check import check
from bench.router.exchanges import EACH, exchanges
from bench.router.measures import Load, Measure
from bench.router.replies import SERVICES, body
from bench.router.sample import Failed, Sample
from bench.router.sampling import Removed, sample_all, take
from bench.router.stage import Missing, Running, Stage, Unfit
from tests.support.answering import answering

OK = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
RIGHT = body("uploads", 1024)


def test_answers_that_are_right_are_counted() -> None:
    with answering(OK % 1024 + RIGHT) as port:
        found = exchanges(port, ("uploads",), 1, 0.2)
    assert (found.wrong, found.broken) == (0, 0) and found.units > 0


@pytest.mark.parametrize(
    "answer",
    [
        OK % 1024 + body("static", 1024),
        OK % 1024 + bytes(1012) + RIGHT[-12:],
        OK % 12 + RIGHT[-12:],
        b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 1024\r\n\r\n" + RIGHT,
        b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 4\r\n\r\nbad\n",
        b"HTTP/1.1 500 Internal Server Error\r\n\r\n",
    ],
)
def test_an_answer_that_is_not_the_right_one_whole_is_wrong(answer: bytes) -> None:
    with answering(answer) as port:
        found = exchanges(port, ("uploads",), 1, 0.2)
    assert found.wrong > 0 and found.units == 0


def test_a_connection_without_any_answer_is_broken() -> None:
    with answering(b"HTTP/1.1 200 ") as port:
        found = exchanges(port, EACH, 1, 0.1)
    assert (found.units, found.wrong, found.broken) == (0, 0, 1)


def test_a_connection_that_stays_with_its_first_service_does_not_route_each_request() -> None:
    with Stage() as stage:
        assert check(Running("x", None, stage.backend_ports, prefixes=False)) == ""
        assert check(Running("x", None, stage.backend_ports)).startswith("mixed: /uploads/1k: 404, ")


def given(sample: Sample, code: int | None = None, used: tuple[float, ...] = (0.0, 0.0)) -> tuple[Stage, Running, Measure]:
    """A contender whose process has ended with `code`, or has not, and has used so much before and after a sample."""
    costs = iter(used)
    process = SimpleNamespace(poll=lambda: code, pid=0)
    contender = Running("x", cast("Popen[bytes]", process), {})
    contender.cpu = lambda: next(costs)  # type: ignore[method-assign]
    got: Callable[[Running, Load], Sample] = lambda *_: sample  # noqa: E731
    stage = SimpleNamespace(backend=SimpleNamespace(pid=0, poll=lambda: None))
    return cast(Stage, stage), contender, Measure("m", "unit", got)


def test_a_router_that_ends_while_its_connections_go_on_has_no_figure() -> None:
    stage, contender, measure = given(Sample(10, 1.0), code=-9)
    with pytest.raises(Removed, match="it has ended with -9"):
        take(stage, contender, measure, cast(Load, None))


def test_what_ended_processes_have_cost_is_not_known() -> None:
    stage, contender, measure = given(Sample(10, 1.0), used=(5.0, 1.0))
    with pytest.raises(Failed, match="some of its processes have ended"):
        take(stage, contender, measure, cast(Load, None))


def test_who_has_ended_is_taken_out_and_the_reason_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    stage, contender, measure = given(Sample(10, 1.0), code=1)
    monkeypatch.setattr("bench.router.sampling.ALL", {"m": measure})
    running, removed, said = {"x": contender}, dict[str, str](), list[str]()
    sample_all(stage, running, Load(1, 1, "", None), 2, time.monotonic() + 60, said.append, removed)
    assert not running and removed == {"x": "removed: m: it has ended with 1"}


def test_without_a_backend_nothing_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    stage, contender, measure = given(Sample(0, 1.0))
    stage.backend.poll = lambda: 1  # type: ignore[method-assign]
    stage.log = lambda process: "why"  # type: ignore[method-assign]
    monkeypatch.setattr("bench.router.sampling.ALL", {"m": measure})
    with pytest.raises(Unfit, match="the backend has ended: why"):
        sample_all(stage, {"x": contender}, Load(1, 1, "", None), 1, time.monotonic() + 60, lambda _: None, {})


def test_what_goes_on_without_its_router_costs_nothing_and_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    _, contender, _ = given(Sample(1, 1.0), code=-9)
    contender.ports = dict.fromkeys(SERVICES, 1)
    monkeypatch.setattr("bench.quiet.bulk.passing", lambda *_: (1.0, 1.0, -5.0))
    said: list[str] = []
    assert quiet.passing({"x": contender}, 1.0, {}, said.append) == {}
    assert "it has ended with -9" in said[0]


def test_who_is_wrong_after_the_load_has_no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_run, "check", lambda made: "" if made.name == "right" else "other bytes")
    running = {name: Running(name, None, {}) for name in ("right", "wrong")}
    absent: dict[str, str] = {}
    bench_run.still_right(running, absent, lambda _: None)
    assert list(running) == ["right"] and absent == {"wrong": "removed: after the load, other bytes"}


def test_who_cannot_be_started_once_more_is_left_out_of_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(_: Stage) -> Running:
        raise Missing("no port")

    monkeypatch.setattr("bench.quiet.contenders.ALL", {"x": none})
    stage, said = cast(Stage, SimpleNamespace(aside=lambda: None)), list[str]()
    assert quiet.memory(stage, QUICK, ["direct", "x"], said.append, time.monotonic() + 60) == ({}, {})
    assert said == ["  x: no port"]


def test_a_second_signal_does_not_disturb_the_end() -> None:
    before = {number: signal.getsignal(number) for number in ENDING}
    try:
        with pytest.raises(KeyboardInterrupt):
            end(signal.SIGINT, None)
        assert {signal.getsignal(number) for number in ENDING} == {signal.SIG_IGN}
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_one_that_ends_at_once_is_not_waited_for_and_says_why(tmp_path: Path) -> None:
    stage = Stage()
    stage.folder = tmp_path
    began = time.monotonic()
    failing = stage.start("failing", [sys.executable, "-c", "import sys; sys.exit('no such\\noption')"], "")
    other = stage.start("other", [sys.executable, "-c", "print('another', flush=True); input()"], "")
    try:
        while not stage.log(other) and time.monotonic() < began + 30:
            time.sleep(0.05)
        with pytest.raises(Missing, match=r"it has ended with 1: no such option$"):
            stage.wait_for(failing, 1)
    finally:
        stage.end(failing)
        stage.end(other)
    assert time.monotonic() < began + staging.START_TIME


@pytest.mark.parametrize(("hard", "may", "expected"), [(4_096, True, 23_010), (4_096, False, 4_096), (30_000, True, 30_000)])
def test_the_limit_is_raised_where_that_is_allowed(
    monkeypatch: pytest.MonkeyPatch, hard: int, may: bool, expected: int
) -> None:
    limits = [hard]

    def raised(_: int, wanted: tuple[int, int]) -> None:
        if wanted[1] > limits[0] and not may:
            raise ValueError("not allowed to raise maximum limit")
        limits[0] = wanted[1]

    monkeypatch.setattr("resource.getrlimit", lambda _: (256, limits[0]))
    monkeypatch.setattr("resource.setrlimit", raised)
    stage = Stage()
    assert stage.descriptors == expected
    assert stage.most == min(10_805, (expected - 1_400) // 2)


def test_too_few_descriptors_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staging, "descriptors", lambda: 1024)
    with pytest.raises(Unfit, match="4,096 descriptors, and 1,024 are allowed"):
        Stage()


@pytest.mark.parametrize(
    ("threads", "expected"),
    [
        ({3: "3"}, ("", "", "")),
        ({0: "0", 1: "1"}, ("0", "1", "1")),
        ({0: "0-1", 1: "0-1"}, ("0", "1", "1")),
        ({0: "0", 1: "1", 2: "2", 3: "3"}, ("0", "1", "2")),
        ({0: "0-1", 1: "0-1", 2: "2-3", 3: "2-3"}, ("0", "2", "3")),
        ({0: "0-1", 1: "0-1", 2: "2-3", 3: "2-3", 4: "4-5", 5: "4-5"}, ("0", "2", "4")),
        ({0: "0,4", 1: "1,5", 4: "0,4", 5: "1,5"}, ("0", "1", "5")),
    ],
)
def test_the_router_shares_no_physical_core(threads: dict[int, str], expected: tuple[str, str, str]) -> None:
    assert placed(threads) == expected
