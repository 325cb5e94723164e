"""The router that is attacked: its configurations, and what it says of itself."""

import json
import resource
import signal
import time
from collections.abc import Callable
from pathlib import Path

from portico.client import fetch

from bench.machine import descriptors
from tests.support.one_process import OneProcess
from tests.support.site import free_port, json_lines, wait_for_listener

from .ends import KINDS, Wrong
from .server import Server

__all__ = ["PATIENCE", "Router"]

PATIENCE = 30.0
"""Seconds for what takes less than one on an idle machine."""
OK = 200
SILENCE = 2.0
CONFIGURATION = """
[[listeners]]
address = "127.0.0.1:{port}"
[admin]
address = "127.0.0.1:{admin}"
[limits]
tunnels = 20000
connections = 40000
queue_timeout = 20
queue_size = 20000
drain_time = 2
idle_timeout = {idle}
"""
SERVICE = """
[[routes]]
prefix = "/{name}/"
service = "{name}"
[services.{name}]
target = "tcp"
address = "127.0.0.1:{server}"
keepalive = "{keepalive}"
idle_time = 0.5
tunnel_idle = {tunnel_idle}
answer_timeout = {answer}
"""


class Router:
    """The one that is attacked, and what it says of itself."""

    def __init__(self, folder: Path, server: Server) -> None:
        self.port, self._admin = free_port(), free_port()
        self._file, self._server, self._reloads = folder / "portico.toml", server, 0
        self.write("plain")
        self.running = OneProcess.router(self.port, folder, self._file)
        wait_for_listener("127.0.0.1", self.port)
        self._lines = 0

    def write(self, way: str) -> None:
        """A configuration for this way."""
        silent = way == "silent"
        text = CONFIGURATION.format(port=self.port, admin=self._admin, idle=SILENCE if silent else 600)
        for name in ("other",) if way == "gone" else ("other", *KINDS):
            text += SERVICE.format(
                name=name,
                server=self._server.port,
                keepalive="pin" if name == "pin" else "split",
                tunnel_idle=SILENCE if silent else 600.0,
                answer=61 if way == "changed" else 60,
            )
        self._file.write_text(text)

    def reload(self, way: str) -> None:
        """Follow the configuration of this way."""
        self.write(way)
        self._reloads += 1
        self.running.process.send_signal(signal.SIGHUP)
        self.wait(lambda: self.running.log.count("the configuration has been read again") >= self._reloads, "a reload")

    def limit(self, most: int) -> None:
        """So many descriptors from the next reload on."""
        hard = resource.prlimit(self.running.process.pid, resource.RLIMIT_NOFILE)[1]
        resource.prlimit(self.running.process.pid, resource.RLIMIT_NOFILE, (min(most, hard), hard))

    @property
    def gauges(self) -> dict[str, int]:
        """Everything that must be as before when all connections are over."""
        end, found, body = time.monotonic() + PATIENCE, 0, b""
        while found != OK and time.monotonic() < end:
            found, body = fetch(f"127.0.0.1:{self._admin}", "/status")
        if found != OK:
            raise Wrong(f"the operators' port says {body!r}")
        status = json.loads(body)
        loads = [replica["open"] for service in status["services"].values() for replica in service["replicas"]]
        queued = sum(service["queued"] for service in status["services"].values())
        opened = descriptors(self.running.process.pid)
        return {
            "held": status["held"], "open": sum(loads), "queued": queued, "waiting": status["waiting"], "descriptors": opened,
        }  # fmt: skip

    def compare_new_lines(self, wrong: Callable[[list[dict[str, object]]], str]) -> None:
        """The access log since the last time is right, which it may become a while after the connections are over.

        Raises:
            Wrong: it stays wrong; `wrong` says how, or nothing where all is right.
        """
        end, begin, found = time.monotonic() + PATIENCE, self._lines, "nothing yet"
        while found:
            if time.monotonic() > end:
                raise Wrong(found)
            time.sleep(0.3)
            lines = [line for line in json_lines(self.running.log) if line.get("log") == "access"]
            self._lines, found = len(lines), wrong(lines[begin:])

    def wait(self, condition: Callable[[], object], what: str) -> None:
        """Until it holds.

        Raises:
            Wrong: it never does.
        """
        end = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > end:
                raise Wrong(f"never came: {what}; {self.gauges if self.running.process.poll() is None else 'it has ended'}")
            time.sleep(0.02)
