"""`portico run --workers 2`, as processes: nothing fails and nothing is cut while workers and servers come and go."""

import json
import os
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from .support.cell import Cell, cell
from .support.load import Load
from .support.raw import RawConnection
from .support.talk import Talk

PATHS = ("/static/hello.txt", "/app/x")


@contextmanager
def made() -> Iterator[Cell]:
    folder = Path(tempfile.mkdtemp(prefix="pw"))
    try:
        with cell(folder) as running:
            yield running
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def running() -> Iterator[Cell]:
    """For the tests that leave it running."""
    with made() as running:
        yield running


@pytest.fixture
def ending() -> Iterator[Cell]:
    """For those that end it."""
    with made() as running:
        yield running


def wait_for(condition: Callable[[], object], running: Cell, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, running.log[-5_000:]
        time.sleep(0.05)


@contextmanager
def load(running: Cell) -> Iterator[None]:
    """Requests, kept and fresh, by handoff and by tcp, and WebSockets; nothing of it may fail."""
    with ExitStack() as stack:
        talk = stack.enter_context(Talk(f"ws://127.0.0.1:{running.port}/ws/autobahn/echo", 4))
        loads = [stack.enter_context(Load("127.0.0.1", running.port, path, 4)) for path in PATHS]
        yield
    assert (talk.failures, [each.failures for each in loads]) == ([], [[], []]), running.log[-5_000:]
    assert all(each.answered for each in loads)
    assert talk.echoed


def lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2]
    except OSError:
        return False
    return state[:1] != "Z"  # an orphan may lie unburied where nobody is PID 1


def test_both_workers_are_in_the_status(running: Cell) -> None:
    with load(running):
        time.sleep(0.5)
        status = json.loads(running.ask("/status")[1])
        table = running.status()
    assert [(each["worker"], each["state"]) for each in status["workers"]] == [(0, "ready"), (1, "ready")]
    assert {each["pid"] for each in status["workers"]} == set(running.workers())
    assert status["counts"]["accepted"] > 0
    assert len(status["services"]["static"]["replicas"]) == 1
    assert [each["replica"] for each in status["services"]["app"]["replicas"]] == [
        f"127.0.0.{number}:{running.server_port}" for number in (1, 2)
    ]
    assert "workers: 0 ready (process " in table
    for page, said in (("/healthz", (200, b"alive\n")), ("/readyz", (200, b"ready\n"))):
        assert running.ask(page) == said
    for worker in "01":
        assert f'portico_accepted_total{{worker="{worker}"}}' in running.ask("/metrics")[1].decode()
    assert running.ask("/status", "DELETE")[0] == 415  # it may come from a web page, and goes no further


@pytest.mark.parametrize("ends", [1, 2])
def test_a_worker_that_is_started_again_knows_what_is_drained(running: Cell, ends: int) -> None:
    """Also where all end at once. The status of both together would say so anyway: it tells the worst."""
    static = json.loads(running.ask("/status")[1])["services"]["static"]["replicas"][0]["replica"]
    app = f"127.0.0.2:{running.server_port}"
    drained = {"app": app, "static": static}

    def all_know() -> bool:
        """A worker sees the addresses of `app` when it has a connection for it."""
        with RawConnection("127.0.0.1", running.port) as connection:
            assert connection.get("/app/", Connection="close").status == 200
        states = [[each.get(replica) for replica in drained.values()] for each in running.states()]
        assert not any("ready" in each for each in states), states
        return states == [["drained", "drained"]] * 2

    try:
        for service, replica in drained.items():
            assert running.drain(service, replica) == 200
        wait_for(all_know, running)
        old = running.workers()[:ends]
        for pid in old:
            os.kill(pid, signal.SIGKILL)
        wait_for(lambda: len(running.workers()) == 2 and not set(old) & set(running.workers()), running)
        wait_for(lambda: running.is_ready, running)
        wait_for(all_know, running)
    finally:
        for service, replica in drained.items():
            running.drain(service, replica, "undrain")
    wait_for(lambda: [each[static] for each in running.states()] == ["ready", "ready"], running)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_worker_that_ends_is_replaced_and_nothing_is_refused(running: Cell, number: int) -> None:
    """By kill -9 what is in that worker's hands is lost, and nothing else; with handoff that is next to nothing."""
    old = running.workers()
    with ExitStack() as stack:
        if number == signal.SIGTERM:
            stack.enter_context(load(running))
        else:
            handoff = stack.enter_context(Load("127.0.0.1", running.port, PATHS[0], 4))
            talk = stack.enter_context(Talk(f"ws://127.0.0.1:{running.port}/ws/autobahn/echo", 4))
        for pid in old:
            time.sleep(0.3)
            os.kill(pid, number)
            wait_for(lambda: len(running.workers()) == 2 and pid not in running.workers(), running)  # noqa: B023
            wait_for(lambda: running.is_ready, running)
    assert not set(old) & set(running.workers())
    if number == signal.SIGKILL:
        assert talk.failures == []
        assert [failure for failure in handoff.failures if "refused" in failure.lower()] == []
        assert len(handoff.failures) <= 2 * 4, "more than were on their way"
        assert handoff.answered


def test_sigterm_lets_all_drain(ending: Cell) -> None:
    with socket.create_connection(("127.0.0.1", ending.port)) as client:
        client.sendall(b"GET /static/hello.txt HTTP/1.1\r\nHost: h\r\n\r\n")
        workers = ending.workers()
        ending.router.process.terminate()
        assert client.recv(12) == b"HTTP/1.1 200"
        assert ending.router.wait() == 0, ending.log[-3_000:]
    assert not any(map(lives, workers))
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", ending.port), 5)
    assert "Traceback" not in ending.log
    assert not (ending.folder / "admin").exists()


def test_ctrl_c_drains_and_a_second_one_ends_at_once(ending: Cell) -> None:
    with socket.create_connection(("127.0.0.1", ending.port)) as client:
        client.sendall(b"GET /app/never HTTP/1.1\r\nHost: h\r\n\r\n")  # under way until the drain time is up
        time.sleep(0.3)
        ending.router.interrupt()
        wait_for(lambda: "SIGINT: draining" in ending.log, ending)
        time.sleep(0.3)
        assert ending.router.process.poll() is None
        ending.router.interrupt()
        assert ending.router.wait(4) == 128 + signal.SIGINT


def test_workers_end_with_their_parent(ending: Cell) -> None:
    workers = ending.workers()
    folders = {Path(line.split("'")[1]).parent for line in ending.log.splitlines() if "Site starting on '/tmp/portico-" in line}
    ending.router.process.kill()
    wait_for(lambda: not any(map(lives, workers)), ending)
    assert "Traceback" not in ending.log
    assert len(folders) == 1
    assert not any(folder.exists() for folder in folders)


def test_a_configuration_that_cannot_be_had_ends_all(running: Cell) -> None:
    """The port is taken: both workers say so, and the status is that of a wrong configuration."""
    second = running.start("second", running._programs / "portico", "run", "--workers", "2", running.file)
    assert second.wait() == 2
    assert "in use" in second.log
    assert "Traceback" not in second.log


def test_nothing_fails_and_nothing_is_cut_whatever_is_reloaded_restarted_or_stopped(running: Cell) -> None:
    """Twenty reloads, one in five of a bad file; then each worker is restarted; then a server stops and starts."""
    with load(running):
        for turn in range(20):
            bad = turn % 5 == 2  # not the last one: a worker that is restarted reads it
            running.file.write_text("listeners = 3" if bad else f"{running.configuration}head_deadline = {10 + turn}.0\n")
            refused = running.log.count("the configuration in use stays")
            read = running.log.count("the configuration has been read again")
            running.reload()
            said, before = ("in use stays", refused) if bad else ("has been read again", read)
            wait_for(lambda: running.log.count(f"the configuration {said}") == before + 2, running)  # noqa: B023
        for pid in running.workers():
            os.kill(pid, signal.SIGTERM)
            wait_for(lambda: len(running.workers()) == 2 and pid not in running.workers(), running)  # noqa: B023
            wait_for(lambda: running.is_ready, running)
        server = running.servers.pop()
        server.process.terminate()
        assert server.wait() in (0, -signal.SIGTERM)
        time.sleep(1.5)
        running.server("127.0.0.2")
        time.sleep(1.5)
