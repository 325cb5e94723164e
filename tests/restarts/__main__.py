"""`python -m tests.restarts`: routers replaced by the hundred on one port, under load, without containers.

Three ways: `overlapping`, the next router is there before the one before it gets SIGTERM, so two accept from one queue;
`alone`, the next one is started when the last is gone, and the port waits with its keeper; `killed`, the last one dies by
SIGKILL, which may cost what it had in its hands, and nothing else.
"""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from .runs import WAYS, replace


def main() -> int:
    """Exit status 0 if nothing was lost by SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m tests.restarts", description=__doc__)
    parser.add_argument("ways", nargs="*", metavar="WAY", help=f"{', '.join(WAYS)} (default: all)")
    parser.add_argument("--times", type=int, default=300, help="routers, for each way (300)")
    parser.add_argument("--clients", type=int, default=24)
    chosen = parser.parse_args()
    unknown = set(chosen.ways) - {*WAYS}
    if unknown:
        parser.error(f"there is no way {', '.join(sorted(unknown))}")
    failed = False
    for way in chosen.ways or WAYS:
        with tempfile.TemporaryDirectory(prefix="rs") as folder:
            outcome = asyncio.run(replace(Path(folder), way, chosen.times, chosen.clients))
        print(outcome, flush=True)
        failed = failed or bool(outcome.failures)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
