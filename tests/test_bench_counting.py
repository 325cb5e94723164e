"""What `make bench` counts, and for whom: processes, memory, backends, answers under load."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import TypeVar, cast

import pytest
from portico.core.remembered import Remembered

from bench import machine, quiet
from bench.form import QUICK
from bench.router import bulk, echoes, growth, holding
from bench.router.clients import ask, connect
from bench.router.echoes import round_trips
from bench.router.measures import ALL, UNASKED, Load, Measure
from bench.router.sample import Failed, Sample, Wrong
from bench.router.sampling import Removed, take
from bench.router.stage import Running, Stage
from bench.static import measure as measure_static
from bench.static.servers import Server
from bench.uploads import __main__ as uploads
from bench.websocket import __main__ as websocket
from tests.support.answering import answering

T = TypeVar("T")
LOAD = Load(1.0, 1, "", "wrk")
_WORKER = "import os; sum(range(3_000_000)); print(os.getpid(), flush=True); input()"


def process(pid: int = 0, code: int | None = None) -> "subprocess.Popen[bytes]":
    return cast("subprocess.Popen[bytes]", SimpleNamespace(pid=pid, poll=lambda: code))


def measure(answer: Callable[[], Sample]) -> Measure:
    return Measure("m", "unit", lambda *_: answer())


def test_a_worker_that_is_listed_beside_its_parent_counts_once() -> None:
    command = [sys.executable, "-c", f"import subprocess, sys; subprocess.run([sys.executable, '-c', {_WORKER!r}])"]
    parent = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        of_worker = Server("", 0, [worker]).cpu()
        both, once = Server("", 0, [parent.pid, worker]).cpu(), Server("", 0, [parent.pid]).cpu()
        assert 0 < of_worker < once
        assert both == pytest.approx(once, abs=of_worker / 2)
    finally:
        parent.communicate(timeout=15)


def test_a_backend_of_ones_own_is_the_one_that_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    spent = iter((1.0, 3.0))
    monkeypatch.setattr(machine, "cpu", lambda pid: next(spent) if pid == 7 else 0.0)
    stage = cast(Stage, SimpleNamespace(backend=process(5)))
    contender = Running("x", None, {}, backend=process(7))
    assert take(stage, contender, measure(lambda: Sample(4, 1.0)), LOAD)["backend"] == 0.5


def test_so_many_replicas_are_a_backend_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Running] = []
    backends = {"1": process(1), "100": process(100)}
    stage = cast(
        Stage, SimpleNamespace(folder=_Folder(), start_backend=lambda *found: backends[found[-1]], end=lambda process: None)
    )
    monkeypatch.setattr("bench.router.growth.portico.handoff", lambda stage, name, folder: Running(name, None, {}))
    monkeypatch.setattr("bench.router.growth.time.sleep", lambda seconds: None)
    monkeypatch.setattr(growth, "take", lambda stage, each, measure, load: _none(made, each))
    growth.replicas(stage, LOAD, (1, 100), 1, time.monotonic() + 60)
    assert {each.name: each.backend for each in made} == {
        "portico 1 replicas": backends["1"], "portico 100 replicas": backends["100"]
    }  # fmt: skip


class _Folder:
    def __truediv__(self, name: str) -> str:
        return name


def _none(seen: list[T], what: T) -> None:
    seen.append(what)
    raise Failed("no figure is needed")


def test_with_many_routes_each_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    remembered: Remembered[bool] = Remembered()
    head = b"GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % UNASKED.encode()
    remembered.add(head, True)
    assert remembered.find(head) is None
    asked: list[Measure] = []
    monkeypatch.setattr("bench.router.growth.portico.handoff", lambda *_: Running("x", None, {}))
    monkeypatch.setattr(growth, "take", lambda stage, each, measure, load: _none(asked, measure))
    growth.routes(cast(Stage, None), LOAD, (10, 1_000), 1, time.monotonic() + 60)
    assert asked == [ALL["unknown"]] * 2
    paths: list[object] = []
    monkeypatch.setattr("bench.router.measures.measure", lambda *found: paths.append(found[3]))
    ALL["unknown"].take(Running("x", None, {"static": 1}), LOAD)
    assert paths == [UNASKED]


def test_a_router_that_has_ended_is_no_router_without_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.quiet.contenders.ALL", {"x": lambda _: Running("x", process(code=-9), {})})
    monkeypatch.setattr("bench.quiet.holding.idle", lambda *_: holding.Idle(10, -5000.0, 0.0))
    monkeypatch.setattr("bench.quiet.holding.slow", lambda *_: holding.Slow(5, 0.0, 0.0))
    stage = cast(Stage, SimpleNamespace(aside=lambda: None, most=10_000, end=lambda process: None))
    said: list[str] = []
    assert quiet.memory(stage, QUICK, ["x"], said.append, time.monotonic() + 60) == ({}, {})
    assert said == ["  x: it has ended with -9"]


UPGRADED = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"
WRONG: dict[str, tuple[bytes, Callable[[int], Sample]]] = {
    "echo": (UPGRADED, lambda port: round_trips(port, 1, 0.1)),
    "echoes": (UPGRADED, lambda port: echoes._many(port, 1, 0.1)),
    "no echo": (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", lambda port: round_trips(port, 1, 0.1)),
    "down": (b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 1\r\n\r\nx", lambda port: bulk.download(port, 9, 0.1)),
    "short": (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", lambda port: bulk.download(port, 9, 0.1)),
    "up": (b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nreceived 8\n", lambda port: bulk.upload(port, 9, 0.1)),
    "not up": (b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 11\r\n\r\nreceived 9\n", lambda port: bulk.upload(port, 9, 0.1)),
}


@pytest.mark.parametrize(("answer", "ask_it"), WRONG.values(), ids=WRONG)
def test_who_answers_wrongly_under_load_is_taken_out(answer: bytes, ask_it: Callable[[int], Sample]) -> None:
    stage = cast(Stage, SimpleNamespace(backend=process(0)))
    with answering(answer) as port, pytest.raises(Removed):
        take(stage, Running("x", None, {}), measure(lambda: ask_it(port)), LOAD)


def test_a_connection_that_ends_is_no_wrong_answer() -> None:
    with answering(b"") as port:
        pass
    with pytest.raises(Failed) as error:
        round_trips(port, 1, 0.1)
    assert not isinstance(error.value, Wrong)


def test_the_backend_hears_of_a_connection_when_there_is_a_request_as_the_routers_do() -> None:
    with Stage() as stage:
        port = stage.backend_ports["static"]
        with connect(port) as first:
            for _ in range(4):  # turns of its loop, in which it is done with those who looked whether it listens
                ask(first, "/static/1k")
            before = len(os.listdir(f"/proc/{stage.backend.pid}/fd"))
            with connect(port), connect(port) as second:
                ask(second, "/static/1k")
                assert len(os.listdir(f"/proc/{stage.backend.pid}/fd")) == before + 1


def test_without_nginx_there_is_no_ratio_to_it_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    number = {"median": 2.0, "least": 1.0, "most": 3.0}
    found = {"bytes": 1_000_000, "contenders": {"portico": {"rate": number, "cpu": number, "portico_to_it": number}}}
    monkeypatch.setattr(uploads, "run", lambda *_: {"sizes": {"1m": found}})
    monkeypatch.setattr(sys, "argv", ["bench.uploads"])
    uploads.main()
    said = capsys.readouterr().out
    assert "nginx is not here (Debian: nginx-light)" in said
    assert next(line for line in said.splitlines() if "portico " in line and "to it" not in line).split() == [
        "portico", "2.0", "2.0", "2.00", "2000.00"
    ]  # fmt: skip


def test_without_caddy_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure_static, "start_all", lambda folder, stack: [])
    monkeypatch.setattr(measure_static, "_compare", lambda *_: {})
    monkeypatch.setattr("bench.static.measure.shutil.which", lambda _: "wrk")
    said: list[str] = []
    measure_static.run(("1k",), tell=said.append)
    assert said == ["caddy is not here (Debian: caddy)"]


def test_one_that_does_not_start_leaves_no_other_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[str] = []

    def server(name: str) -> SimpleNamespace:
        if name == "fails":
            raise ValueError("no port")
        return SimpleNamespace(stop=lambda: ended.append(name))

    monkeypatch.setattr(websocket, "contenders", lambda: {"a": ("starts",), "b": ("fails",)})
    monkeypatch.setattr(websocket, "Server", server)
    with pytest.raises(ValueError, match="no port"):
        websocket.run()
    assert ended == ["starts"]
