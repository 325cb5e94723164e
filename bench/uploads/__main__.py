"""`python -m bench.uploads`: raw PUT, side by side: ours through the router, nginx (dav), aiohttp, Starlette on uvicorn.

Each round sends the same files to each of them, one after the other, so that what else the machine does meets all alike, and
compares what lies on the disk with what was sent. The folder decides what is measured: on a tmpfs the programs, on a disk the
disk. Ours does more than the others: it makes the file durable (fsync, which costs nothing on a tmpfs), and publishes it whole.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from bench.namespace import enter

from .contenders import NGINX
from .run import LOADS, run


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.uploads", description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("/dev/shm"), help="where the files go (default: /dev/shm)")  # noqa: S108
    parser.add_argument("--sizes", default=",".join(LOADS), help=f"of files: {', '.join(LOADS)} (default: all), or bytes")
    parser.add_argument("--rounds", type=int, default=5, help="(5)")
    parser.add_argument("--json", type=Path, help="file for the figures")
    chosen = parser.parse_args()
    result = run(chosen.sizes.split(","), chosen.rounds, chosen.folder, lambda text: print(text, flush=True))
    for size, found in result["sizes"].items():
        _print(size, found)
        if NGINX not in found["contenders"]:
            print(f"{NGINX} is not here (Debian: nginx-light)")
    if chosen.json is not None:
        chosen.json.write_text(json.dumps(result, indent=2) + "\n")


def _print(size: str, found: dict[str, Any]) -> None:
    print(f"\n{size:27} {'files/s':>9} {'MB/s':>7} {'to nginx':>9} {'least, most':>12} {'portico to it':>14} {'CPU, ms':>8}")
    for name, each in found["contenders"].items():
        rate = each["rate"]["median"]
        nginx = each.get("to_nginx")  # where nginx is not here there is no ratio
        median, apart = (f"{nginx['median']:.2f}", f"{nginx['least']:.2f}, {nginx['most']:.2f}") if nginx else ("", "")
        print(
            f"  {name:25} {rate:9.1f} {rate * found['bytes'] / 1e6:7.1f} {median:>9} {apart:>12} "
            f"{each['portico_to_it']['median']:14.2f} {each['cpu']['median'] * 1e3:8.2f}"
        )


if __name__ == "__main__":
    enter("bench.uploads")
    main()
