"""The asyncio replica as a process: what it imports, its environment, its signals, its log."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from handoff_support import PATIENCE, PlayedRouter, tcp_pair
from svckit.handoff.codec import Draining, Farewell, Hello, Taken
from svckit.handoff.socketfile import connect

APPLICATION = """
async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
        await send({"type": "http.response.body", "body": b"hello"})
"""

WITHOUT = """
import sys
class Nothing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"twisted", "zope", "msgspec", "uvicorn", "aiohttp"}:
            raise ImportError(name + " was asked for")
sys.meta_path.insert(0, Nothing())
import svckit.handoff.aio, svckit.handoff.aio.run, svckit.cli, svckit.health, svckit.handoff.conformance
"""


def test_it_needs_nothing_but_the_standard_library() -> None:
    subprocess.run([sys.executable, "-c", WITHOUT], check=True, timeout=30)


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="au") as made:
        (Path(made) / "application.py").write_text(APPLICATION)
        yield Path(made)


def start(folder: Path, *arguments: str, **environment: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "svckit.handoff.aio.asgi", "application:app", "--service", "api", *arguments]
    variables = {**os.environ, "PORTICO_RUN": str(folder), "PORTICO_REPLICA": "a-1", **environment}
    return subprocess.Popen(command, cwd=folder, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def linked(path: Path) -> PlayedRouter:
    """A router, as soon as the replica is there."""
    end = time.monotonic() + 30
    while True:
        try:
            router = PlayedRouter(connect(path))
            break
        except OSError:
            assert time.monotonic() < end
            time.sleep(0.02)
    assert isinstance(wait_for(router, Hello), Hello)
    router.welcome(("/", True))
    return router


def wait_for(router: PlayedRouter, kind: type) -> object:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        for message in router.hear():
            if isinstance(message, kind):
                return message
        time.sleep(0.01)
    raise AssertionError(f"no {kind.__name__}")


def test_it_serves_until_sigterm_has_drained_it(folder: Path) -> None:
    process = start(folder)
    router = linked(folder / "api/a-1.sock")
    try:
        client, accepted = tcp_pair()
        with client, accepted:
            router.hand(accepted, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            wait_for(router, Taken)
            answer = b""
            while not answer.endswith(b"hello"):
                answer += client.recv(1000)
            process.send_signal(signal.SIGTERM)
            wait_for(router, Draining)
            assert not (folder / "api/a-1.sock").exists()
            router.say(Farewell())
            router.hear()
            router.take(1)  # the idle connection has come back
            output, _ = process.communicate(timeout=30)
    finally:
        router.die()
        process.kill()
    assert process.returncode == 0
    lines = [json.loads(line) for line in output.splitlines()]
    assert all(line["service"] == "api" and line["replica"] == "a-1" for line in lines)
    assert any(line["from"] == "svckit" and line["level"] == "info" for line in lines)
    assert any(line["from"] == "uvicorn.access" and "GET /" in line["message"] for line in lines)


def test_a_second_signal_ends_at_once(folder: Path) -> None:
    process = start(folder)
    router = linked(folder / "api/a-1.sock")
    client, accepted = tcp_pair()
    with client, accepted:
        router.hand(accepted)
        wait_for(router, Taken)
        process.send_signal(signal.SIGINT)
        wait_for(router, Draining)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
    router.die()
    assert process.returncode == 128 + signal.SIGTERM


@pytest.mark.parametrize(
    ("environment", "complaint"),
    [({"PORTICO_DRAIN_TIME": "soon"}, "PORTICO_DRAIN_TIME"), ({"PORTICO_RUN": "/proc/none"}, "/proc/none")],
)
def test_what_is_wrong_is_said_in_a_line(folder: Path, environment: dict[str, str], complaint: str) -> None:
    process = start(folder, **environment)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 2
    assert complaint in errors.splitlines()[-1]
    assert "Traceback" not in errors


def test_after_so_many_requests_it_drains(folder: Path) -> None:
    process = start(folder, "--limit-max-requests", "1")
    router = linked(folder / "api/a-1.sock")
    client, accepted = tcp_pair()
    with client, accepted:
        router.hand(accepted, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        wait_for(router, Taken)
        accepted.close()
        client.shutdown(socket.SHUT_WR)
        wait_for(router, Draining)
        router.say(Farewell())
        process.communicate(timeout=30)
    router.die()
    assert process.returncode == 0
