"""`python -m bench.static`: files over keep-alive, side by side: ours through the router, nginx, Caddy, aiohttp, Starlette,
`twistd web`; one process, one core each, with no line in a log for each request.

Small files by wrk, which has a core of its own; large ones by a client that reads and forgets. Each round asks each server,
one after the other, so that what else the machine does meets all alike. Beside the rate stands what the server's processor
time for each request was, which a busy machine disturbs least, and the most memory that it ever had. Before that, what each
one sends is compared with the file.
"""

import argparse
import json
import sys
from functools import partial
from pathlib import Path

from bench.namespace import enter

from .measure import SIZES, run


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.static", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="(5)")
    parser.add_argument("--seconds", type=int, default=3, help="of each measurement with small files (3)")
    parser.add_argument("--connections", type=int, default=16, help="of wrk (16)")
    parser.add_argument("--sizes", default=",".join(SIZES), help=f"({','.join(SIZES)})")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where the figures go, too")
    chosen = parser.parse_args()
    sizes = chosen.sizes.split(",")
    if unknown := [size for size in sizes if size not in SIZES]:
        parser.error(f"--sizes: {unknown[0]}: expected some of {', '.join(SIZES)}")
    try:
        found = run(sizes, chosen.rounds, chosen.seconds, chosen.connections, partial(print, flush=True))
    except AssertionError as error:
        print(error, file=sys.stderr)
        return 2
    print("\nmost memory (MiB): " + "  ".join(f"{name} {size / 1048576:.0f}" for name, size in found["memory"].items()))
    if chosen.json is not None:
        chosen.json.write_text(json.dumps(found, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    enter("bench.static")
    sys.exit(main())
