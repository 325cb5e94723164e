"""The service as a process (`child`) with real sockets, a real disk and a real memory."""

import hashlib
import http.client
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["BLOCK", "MIB", "PATIENCE", "Child", "sha256_of", "until"]

MIB = 2**20
BLOCK = bytes(range(256)) * 4096  # 1 MiB
PATIENCE = 60.0
"""Seconds after which a child that does not get on fails the test."""


class Child:
    """A running service."""

    def __init__(self, root: Path, seconds_per_mib: float = 0.0, *options: str) -> None:
        self.root = root
        script = str(Path(__file__).with_name("child.py"))
        self.process = subprocess.Popen(
            [sys.executable, script, str(root), str(seconds_per_mib), *options], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)

    def peak(self) -> int:
        """Most bytes of memory it has ever had."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024

    def put(self, mib: int, path: str = "/uploads/x") -> dict[str, Any]:
        """Upload that much, as fast as it goes."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        blocks = (BLOCK for _ in range(mib))
        connection.request("PUT", path, blocks, {"Content-Length": str(mib * MIB), "Want-Repr-Digest": "sha-256=1"})
        response = connection.getresponse()
        assert response.status == 201
        answer: dict[str, Any] = json.loads(response.read())
        connection.close()
        return answer

    def get_sha256(self, path: str = "/uploads/x") -> str:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        connection.request("GET", path)
        response, digest = connection.getresponse(), hashlib.sha256()
        while data := response.read(MIB):
            digest.update(data)
        connection.close()
        return digest.hexdigest()

    def parts(self) -> list[Path]:
        return list((self.root / ".parts").iterdir())

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        self.process.send_signal(how)
        self.process.wait(PATIENCE)
        assert self.process.stdout is not None
        self.process.stdout.close()


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it does not happen"
        time.sleep(0.01)


def sha256_of(mib: int) -> str:
    digest = hashlib.sha256()
    for _ in range(mib):
        digest.update(BLOCK)
    return digest.hexdigest()
