"""Each size with each server: first whether what comes is the file, then how fast it comes, and what that costs."""

import hashlib
import http.client
import os
import random
import re
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from bench.machine import cores, pinned
from bench.router.clients import connect, head_of, status

from .servers import CADDY, Server, start_all

__all__ = ["SIZES", "run"]

SIZES = {"1k": 1024, "100k": 100 * 1024, "1g": 1 << 30}
_BY_DOWNLOAD = 1 << 24
"""Bytes from which a file is fetched by one client that reads and forgets, and not by wrk."""
_rate = re.compile(r"(\d+) requests in ([0-9.]+)(m?s)").search
_wrong = re.compile(r"Non-2xx|Socket errors").search


def run(
    sizes: Sequence[str] = ("1k", "100k", "1g"),
    rounds: int = 5,
    seconds: int = 3,
    connections: int = 16,
    tell: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Measure and compare; `tell` gets a line for each figure as soon as it is there.

    The result holds for each size and server `rate` (requests/s), `cpu` (seconds of processor for a request), both as medians
    of the rounds, and the medians of their ratios in each round, `to_nginx` (above 1: faster) and `cpu_to_nginx` (above 1:
    cheaper); and for each server `memory`, the most that it ever had, in bytes.

    Raises:
        AssertionError: a program is not there, or what a server sent is not the file.
    """
    wrk = shutil.which("wrk")
    assert wrk is not None, "small files are asked for by wrk (on Debian: apt-get install wrk)"
    with tempfile.TemporaryDirectory(prefix="b") as name, ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o755)
        sums = {size: _make(folder / "root/static" / f"{size}.bin", SIZES[size]) for size in sizes}
        servers = start_all(folder, stack)
        if CADDY not in [each.name for each in servers]:
            tell(f"{CADDY} is not here (Debian: {CADDY})")
        for each in servers:
            for size, expected in sums.items():
                _check(each, size, expected)
        found = {}
        for size in sizes:
            once = partial(_once, wrk, size, seconds, connections)
            found[size] = _compare(size, servers, rounds, once, tell)
        return {"sizes": found, "memory": {each.name: each.peak_memory() * 1024 for each in servers}}


def _make(path: Path, size: int) -> str:
    """A file of `size` random bytes; the answer is its SHA-256."""
    path.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for _ in range(max(size >> 20, 1)):
            piece = os.urandom(min(size, 1 << 20))
            file.write(piece)
            digest.update(piece)
    return digest.hexdigest()


def _check(server: Server, size: str, expected: str) -> None:
    """Twice on one connection: what is sent for the second time may go another way."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    for _ in range(2):
        connection.request("GET", f"/static/{size}.bin")
        answer = connection.getresponse()
        digest = hashlib.sha256()
        while piece := answer.read(1 << 20):
            digest.update(piece)
        assert answer.status == 200 and digest.hexdigest() == expected, f"{server.name} sends something else than {size}.bin"
    connection.close()


def _compare(
    size: str, servers: list[Server], rounds: int, once: Callable[[Server], tuple[int, float]], tell: Callable[[str], None]
) -> dict[str, dict[str, float]]:
    rates: dict[str, list[float]] = {each.name: [] for each in servers}
    costs: dict[str, list[float]] = {each.name: [] for each in servers}
    for round_number in range(rounds + 1):
        for each in random.sample(servers, len(servers)):
            before = each.cpu()
            count, seconds = once(each)
            if round_number:  # the first one warms up
                rates[each.name].append(count / seconds)
                costs[each.name].append((each.cpu() - before) / count)
    unit, scale = ("ms", 1e3) if SIZES[size] >= _BY_DOWNLOAD else ("us", 1e6)
    tell(f"\n{size}: median of {rounds}   requests/s (to nginx's)   processor time of a request (nginx's to it)")
    found = {}
    for name in rates:
        one = found[name] = {
            "rate": statistics.median(rates[name]),
            "cpu": statistics.median(costs[name]),
            "to_nginx": statistics.median(a / b for a, b in zip(rates[name], rates["nginx"], strict=True)),
            "cpu_to_nginx": statistics.median(b / a for a, b in zip(costs[name], costs["nginx"], strict=True)),
        }
        cost = f"{one['cpu'] * scale:8.1f} {unit} ({one['cpu_to_nginx']:4.2f})"
        tell(f"  {name:12} {one['rate']:10.1f} ({one['to_nginx']:4.2f})   {cost}")
    return found


def _once(wrk: str, size: str, seconds: int, connections: int, server: Server) -> tuple[int, float]:
    """Requests, and the seconds that they took."""
    path = f"/static/{size}.bin"
    if SIZES[size] >= _BY_DOWNLOAD:
        return _downloads(server.port, path, SIZES[size], seconds)
    command = [wrk, "-t1", f"-c{connections}", f"-d{seconds}", f"http://127.0.0.1:{server.port}{path}"]
    on_its_core = ["taskset", "-c", "1", *command] if (os.cpu_count() or 1) > 1 else command
    done = subprocess.run(on_its_core, capture_output=True, text=True, check=True, timeout=120)  # noqa: S603
    found = _rate(done.stdout)
    assert found is not None and not _wrong(done.stdout), f"{server.name}: {done.stdout}"
    return int(found[1]), float(found[2]) / (1000 if found[3] == "ms" else 1)


def _downloads(port: int, path: str, size: int, seconds: int) -> tuple[int, float]:
    """As often as it fits into so many seconds, on one connection; what comes is thrown away by the kernel, uncopied."""
    count, buffer = 0, bytearray(1 << 20)
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
    length = b"content-length: %d" % size
    with pinned(cores()[2]), connect(port) as client:
        began = time.monotonic()
        while count == 0 or time.monotonic() - began < seconds:
            client.sendall(request)
            head, rest = head_of(client)
            assert status(head) == 200 and length in head.lower(), f"{path}: {head[:60]!r}"
            left = size - len(rest)
            while left:
                got = client.recv_into(buffer, min(left, len(buffer)), socket.MSG_TRUNC)
                assert got, f"{path}: {left} bytes are missing"
                left -= got
            count += 1
        return count, time.monotonic() - began
