"""`python -m bench.static`: files over keep-alive, side by side: ours through the router, nginx, Caddy, aiohttp, Starlette,
`twistd web`; one process, one core each, with no line in a log for each request.

Small files by wrk, which has a core of its own; large ones by a client that reads and forgets. Each round asks each server,
one after the other, so that what else the machine does meets all alike. Beside the rate stands what the server's processor
time for each request was, which a busy machine disturbs least, and the most memory that it ever had.
"""

import argparse
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from .servers import Server, start_all

SIZES = {"1k": 1024, "100k": 100 * 1024, "1g": 1 << 30}
_rate = re.compile(r"(\d+) requests in ([0-9.]+)(m?s)").search


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.static", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="(5)")
    parser.add_argument("--seconds", type=int, default=3, help="of each measurement with small files (3)")
    parser.add_argument("--connections", type=int, default=16, help="of wrk (16)")
    parser.add_argument("--sizes", default="1k,100k,1g", help="(1k,100k,1g)")
    chosen = parser.parse_args()
    wrk = shutil.which("wrk")
    if wrk is None:
        print("bench.static needs wrk (on Debian: apt-get install wrk)", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="b") as name, ExitStack() as stack:
        folder = Path(name)
        root = folder / "root" / "static"
        root.mkdir(parents=True)
        folder.chmod(0o755)
        for size in chosen.sizes.split(","):
            with (root / f"{size}.bin").open("wb") as file:
                for _ in range(max(SIZES[size] >> 20, 1)):
                    file.write(os.urandom(min(SIZES[size], 1 << 20)))
        servers = start_all(folder, stack)
        for size in chosen.sizes.split(","):
            _compare(size, servers, chosen, wrk)
        print("\nmost memory (MiB): " + "  ".join(f"{each.name} {each.peak_memory() / 1024:.0f}" for each in servers))
    return 0


def _compare(size: str, servers: list[Server], chosen: argparse.Namespace, wrk: str) -> None:
    rates: dict[str, list[float]] = {each.name: [] for each in servers}
    costs: dict[str, list[float]] = {each.name: [] for each in servers}
    for round_number in range(chosen.rounds + 1):
        for each in servers:
            before = each.cpu()
            if size == "1g":
                count, seconds = 1, _download(each.port, f"/static/{size}.bin", SIZES[size])
            else:
                count, seconds = _wrk(wrk, each.port, f"/static/{size}.bin", chosen)
            if round_number:  # the first one warms up
                rates[each.name].append(count / seconds)
                costs[each.name].append((each.cpu() - before) / count)
    unit, scale = ("ms", 1e3) if size == "1g" else ("us", 1e6)
    nginx = statistics.median(rates["nginx"]), statistics.median(costs["nginx"])
    print(f"\n{size}: median of {chosen.rounds}   requests/s (to nginx's)   processor time of a request (nginx's to it)")
    for name in rates:
        rate, cost = statistics.median(rates[name]), statistics.median(costs[name])
        print(
            f"  {name:10} {rate:10.1f} ({rate / nginx[0]:4.2f})   {cost * scale:8.1f} {unit} ({nginx[1] / cost:4.2f})",
            flush=True,
        )


def _wrk(wrk: str, port: int, path: str, chosen: argparse.Namespace) -> tuple[int, float]:
    command = [wrk, "-t1", f"-c{chosen.connections}", f"-d{chosen.seconds}", f"http://127.0.0.1:{port}{path}"]
    pinned = ["taskset", "-c", "1", *command] if (os.cpu_count() or 1) > 1 else command
    done = subprocess.run(pinned, capture_output=True, text=True, check=True, timeout=120)  # noqa: S603
    found = _rate(done.stdout)
    assert found is not None and "Non-2xx" not in done.stdout, done.stdout
    return int(found[1]), float(found[2]) / (1000 if found[3] == "ms" else 1)


def _download(port: int, path: str, size: int) -> float:
    buffer = bytearray(1 << 20)
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), 60) as client:
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
        got = 0
        while count := client.recv_into(buffer):
            got += count
    assert size < got < size + 4096, f"{got} bytes: {bytes(buffer[:200])!r}"
    return time.monotonic() - began


if __name__ == "__main__":
    sys.exit(main())
