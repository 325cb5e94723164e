"""`portico run` in a process of its own: its log, its status, what it has open and how large it is."""

import json
import os
import signal
import socket
import subprocess
import sys
from functools import cached_property
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

__all__ = ["RouterProcess"]

ADMIN_HOST = "127.0.0.9"
"""An address that nothing else uses, so that a port found free there stays free."""


class RouterProcess:
    """One router; the configuration is completed with a listener and an operators' port."""

    def __init__(self, folder: Path, config: str, before: str = "") -> None:
        """`before` is Python to be run in the process first."""
        with socket.create_server((ADMIN_HOST, 0)) as free:
            self._admin: int = free.getsockname()[1]
        file = folder / "portico.toml"
        head = f'listeners = [{{address = "127.0.0.1:0"}}]\nadmin = {{address = "{ADMIN_HOST}:{self._admin}"}}\n'
        file.write_text(head + config)
        self._log = (folder / "log").open("w+")
        program = f"{before}\nfrom portico.cli import main\nmain()"
        self._process = subprocess.Popen((sys.executable, "-c", program, "run", str(file)), stdout=self._log, stderr=self._log)

    @property
    def lines(self) -> list[dict[str, Any]]:
        """What it has said so far."""
        text = Path(self._log.name).read_text()
        return [json.loads(line) for line in text.splitlines(True) if line.startswith("{") and line.endswith("\n")]

    def said(self, text: str) -> list[dict[str, Any]]:
        """The lines whose message has `text`."""
        return [line for line in self.lines if text in str(line.get("message"))]

    @cached_property
    def at(self) -> tuple[str, int]:
        """Where it listens; it does."""
        (line,) = self.said("listening on")
        return line["host"], line["port"]

    def get(self, page: str) -> bytes:
        """A page of the operators' port."""
        connection = HTTPConnection(ADMIN_HOST, self._admin, timeout=20)
        try:
            connection.request("GET", page)
            return connection.getresponse().read()
        finally:
            connection.close()

    def status(self) -> dict[str, Any]:
        """What `/status` says."""
        found: dict[str, Any] = json.loads(self.get("/status"))
        return found

    @property
    def descriptors(self) -> int:
        """How many it has open."""
        return len(os.listdir(f"/proc/{self._process.pid}/fd"))

    @property
    def memory(self) -> int:
        """Bytes of it in memory."""
        for line in Path(f"/proc/{self._process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise AssertionError("it has ended")

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def close(self) -> None:
        """End it at once."""
        if self.alive:
            self._process.kill()
        self._process.wait()
        self._log.close()
