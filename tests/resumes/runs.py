"""Uploads by the clients that people use, over a way that breaks, while replicas come and go."""

import hashlib
import os
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from tusclient.client import TusClient

from .cutting import Cutting
from .stage import Stage

__all__ = ["CLIENTS", "Run", "make_file", "upload"]

CLIENTS = ("tuspy", "tus-js-client", "tus-js-client in parallel")
CHUNK = 64 << 20
_SCRIPT = Path(__file__).with_name("client.cjs")


@dataclass(frozen=True)
class Run:
    """What came of one upload."""

    client: str
    size: int
    seconds: float
    cuts: int
    replicas: list[int]
    same: bool
    left: int
    """Files and folders in the making that are left, beside the records of what is finished."""

    def __str__(self) -> str:
        return (
            f"{self.client}: {self.size / 1e6:.0f} MB in {self.seconds:.1f} s, cut {self.cuts} times, "
            f"replicas {' to '.join(map(str, self.replicas))}: SHA-256 {'the same' if self.same else 'ANOTHER'}"
        )


def make_file(path: Path, size: int) -> str:
    """A file of `size` bytes, no two MiB of it the same; its SHA-256."""
    block, digest = os.urandom(1 << 20), hashlib.sha256()
    with path.open("wb") as file:
        for at in range(0, size, len(block)):
            piece = (at.to_bytes(8, "big") + block[8:])[: size - at]
            digest.update(piece)
            file.write(piece)
    return digest.hexdigest()


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def upload(stage: Stage, client: str, source: Path, digest: str, cuts: int, modules: Path | None = None) -> Run:
    """One upload, cut `cuts` times, with replicas scaled from 1 to 3 at a third of it and back to 1 at two thirds.

    Raises:
        AssertionError: the client gave up.
    """
    size = source.stat().st_size
    name = client.replace(" ", "-") + ".bin"
    scaling = _Scaling(stage, size)
    way = Cutting(stage.port, [size * (at + 1) // (cuts + 1) for at in range(cuts)], scaling.passed)
    url = f"http://127.0.0.1:{way.port}/uploads/"
    began = time.monotonic()
    try:
        if client == "tuspy":
            _by_tuspy(url, source, name)
        else:
            assert modules is not None
            _by_tus_js(url, source, name, modules, 3 if client.endswith("parallel") else 1)
        seconds = time.monotonic() - began
    finally:
        way.close()
        scaling.wait()
    same = sha256_of(stage.root / name) == digest
    unfinished = [path for path in stage.root.glob(".tus/*/data") if "partial" not in (path.parent / "info").read_text()]
    left = len(list(stage.root.glob(".parts/*"))) + len(unfinished)
    return Run(client, size, seconds, way.cuts, scaling.seen, same, left)


class _Scaling:
    """1 to 3 to 1, each once its share of the bytes has gone up."""

    def __init__(self, stage: Stage, size: int) -> None:
        self._stage = stage
        self._steps = [(size // 3, 3), (size * 2 // 3, 1)]
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self.seen = [len(stage.replicas)]

    def passed(self, up: int) -> None:
        with self._lock:
            if self._steps and up >= self._steps[0][0]:
                replicas = self._steps.pop(0)[1]
                self._threads.append(threading.Thread(target=self._scale, args=(replicas, list(self._threads))))
                self._threads[-1].start()

    def _scale(self, replicas: int, before: list[threading.Thread]) -> None:
        for thread in before:
            thread.join()
        self._stage.scale(replicas)
        self._stage.wait(replicas)
        self.seen.append(replicas)

    def wait(self) -> None:
        for thread in self._threads:
            thread.join(60)


def _by_tuspy(url: str, source: Path, name: str) -> None:
    uploader = TusClient(url).uploader(str(source), chunk_size=CHUNK, metadata={"filename": name}, retries=100, retry_delay=0.1)
    uploader.upload()


def _by_tus_js(url: str, source: Path, name: str, modules: Path, parallel: int) -> None:
    command = ["node", str(_SCRIPT), str(modules), url, str(source), name, str(parallel), str(CHUNK)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
