"""`python -m bench.uploads`: raw PUT, side by side: ours through the router, nginx (dav), aiohttp, Starlette on uvicorn.

Each round sends the same file to each of them, one after the other, so that what else the machine does meets all alike. The
folder decides what is measured: on a tmpfs the programs, on a disk the disk. Ours does more than the others: it makes
the file durable (fsync), and publishes it whole.
"""

import argparse
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.resumes.runs import make_file
from tests.resumes.stage import stage
from tests.support.site import free_port, wait_for_listener

PEERS = ("nginx", "aiohttp", "starlette")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.uploads", description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("/dev/shm"), help="where the files go (default: /dev/shm)")  # noqa: S108
    parser.add_argument("--size", type=int, default=2 << 30, help="bytes of the file (default: 2 GiB)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sha256", action="store_true", help="ours with the SHA-256, which no other takes")
    chosen = parser.parse_args()
    with ExitStack() as stack:
        sources = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-", dir="/dev/shm")))
        short = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        target = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-", dir=chosen.folder)))
        make_file(sources / "source", chosen.size)
        made = stack.enter_context(stage(short / "s", target / "portico", keep_free=0, sha256="always" if chosen.sha256 else "asked"))
        ports = {"portico": made.port}
        programs = {"portico": [made.router.process.pid, made.replicas[0].process.pid]}
        for peer in PEERS:
            if peer != "nginx" or shutil.which("nginx"):
                ports[peer], pid = stack.enter_context(serving(peer, target / peer))
                programs[peer] = [pid, *children(pid)]
        rates: dict[str, list[float]] = {name: [] for name in ports}
        costs: dict[str, list[float]] = {name: [] for name in ports}
        for _ in range(chosen.rounds):
            for name, port in ports.items():
                before = cpu(programs[name])
                rates[name].append(chosen.size / put(port, sources / "source") / 1e6)
                costs[name].append((cpu(programs[name]) - before) / chosen.size * 1e9)
                for path in target.glob("*/**/x"):
                    path.unlink()
            print("  ".join(f"{name} {rate[-1]:.0f}" for name, rate in rates.items()), flush=True)
        report(rates, costs)


@contextmanager
def serving(peer: str, folder: Path) -> Iterator[tuple[int, int]]:
    folder.mkdir()
    (folder / "uploads").mkdir()
    port = free_port()
    where = folder if peer == "nginx" else folder / "uploads"
    process = subprocess.Popen([sys.executable, Path(__file__).with_name("servers.py"), peer, str(port), where])  # noqa: S603
    try:
        wait_for_listener("127.0.0.1", port)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(15)


def children(pid: int) -> list[int]:
    """nginx's workers."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def cpu(pids: list[int]) -> float:
    """Seconds of processor that they have used so far."""
    fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids]
    return sum(int(found[11]) + int(found[12]) for found in fields) / os.sysconf("SC_CLK_TCK")


def put(port: int, source: Path) -> float:
    """Seconds for one PUT, with its answer."""
    size = source.stat().st_size
    fd = os.open(source, os.O_RDONLY)
    began = time.perf_counter()
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.sendall(b"PUT /uploads/x HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % size)
        at = 0
        while at < size:
            at += os.sendfile(sock.fileno(), fd, at, min(size - at, 4 << 20))
        answer = sock.recv(4096)
    os.close(fd)
    if answer.split(b" ")[1] not in (b"200", b"201", b"204"):
        raise SystemExit(f"port {port} answered {answer!r}")
    return time.perf_counter() - began


def report(rates: dict[str, list[float]], costs: dict[str, list[float]]) -> None:
    """The median of each, and what ours is to it, round by round."""
    print(f"\n{'':10} {'median':>8} {'best':>8} {'ours to it':>11} {'CPU':>8}   MB/s, seconds of processor for a GB")
    for name, found in rates.items():
        ratio = statistics.median(ours / other for ours, other in zip(rates["portico"], found, strict=True))
        print(
            f"{name:10} {statistics.median(found):8.0f} {max(found):8.0f} {ratio:11.2f} {statistics.median(costs[name]):8.2f}"
        )


if __name__ == "__main__":
    main()
