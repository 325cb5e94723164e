"""The router's process and its signals."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

CONFIG = """
listeners = [{address = "127.0.0.1:0"}]
routes = [{prefix = "/", service = "web"}]
services.web = {target = "tcp", address = "127.0.0.1:%d", keepalive = "pin"}
limits = {drain_time = 600.0}
"""


class Child:
    """`portico run` in a process of its own, and the lines of its log."""

    def __init__(self, file: Path) -> None:
        self.process = subprocess.Popen(
            (sys.executable, "-c", "from portico.cli import main; main()", "run", str(file)),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        self.lines: list[dict[str, object]] = []

    def read_until(self, text: str) -> dict[str, object]:
        """Wait for a line whose message has `text`."""
        assert self.process.stdout is not None
        for line in iter(self.process.stdout.readline, ""):
            self.lines.append(json.loads(line))
            if text in str(self.lines[-1].get("message")):
                return self.lines[-1]
        raise AssertionError(f"no line with {text!r}: {self.process.communicate()}")

    def end(self) -> tuple[int, str]:
        """Exit status, and what it said on standard error."""
        out, err = self.process.communicate(timeout=30)
        self.lines += map(json.loads, out.splitlines())
        return self.process.returncode, err

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


@pytest.fixture
def backend() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(20)
        yield server


@pytest.fixture
def child(tmp_path: Path, backend: socket.socket) -> Iterator[Child]:
    file = tmp_path / "portico.toml"
    file.write_text(CONFIG % backend.getsockname()[1])
    child = Child(file)
    yield child
    child.close()


def live_connection(child: Child, backend: socket.socket) -> tuple[socket.socket, socket.socket]:
    """A client and its server, joined by the router."""
    port = child.read_until("listening on")["port"]
    assert isinstance(port, int)
    client = socket.create_connection(("127.0.0.1", port), timeout=20)
    client.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
    server, _ = backend.accept()
    return client, server


@pytest.mark.parametrize(("second", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_second_signal_ends_the_drain_at_once(
    child: Child, backend: socket.socket, second: signal.Signals, status: int
) -> None:
    client, server = live_connection(child, backend)
    with client, server:
        child.process.send_signal(signal.SIGTERM)
        child.read_until("SIGTERM: draining")
        assert child.process.poll() is None
        child.process.send_signal(second)
        assert child.end() == (status, "")
    said = [line["signal"] for line in child.lines if "ending at once" in str(line.get("message"))]
    assert said == [second.name]
    assert not [line for line in child.lines if "trace" in line or line.get("level") in ("error", "critical")]


@pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGINT])
def test_one_signal_waits_for_what_is_live(child: Child, backend: socket.socket, first: signal.Signals) -> None:
    client, server = live_connection(child, backend)
    child.process.send_signal(first)
    child.read_until(f"{first.name}: draining")
    server.settimeout(20)
    assert server.recv(1_000).startswith(b"GET / ")
    server.sendall(b"still here")
    assert client.recv(1_000) == b"still here"
    client.close()
    server.close()
    assert child.end() == (0, "")
