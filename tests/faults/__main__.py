"""`python -m tests.faults`: the fault runs at full length, against a compose deployment of their own. Needs a Docker engine."""

import argparse
import asyncio
import sys
import time

from ..support.compose import Compose
from ..support.site import free_port
from .runs import RUNS, under_load
from .websockets import LONG_EVENTS, hold


def main() -> int:
    """Exit status 0 if nothing was lost but what HTTP lets be lost."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("runs", nargs="*", metavar="RUN", help=f"{', '.join(RUNS)}, websockets (default: all)")
    parser.add_argument("--seconds", type=float, default=30.0, help="for each fault (default: 30; the scale run: 120)")
    parser.add_argument("--clients", type=int, default=24)
    parser.add_argument("--websockets", type=int, default=2_000)
    parser.add_argument("--project", default="portico-faults", help="name of the compose project")
    chosen = parser.parse_args()
    unknown = set(chosen.runs) - {*RUNS, "websockets"}
    if unknown:
        parser.error(f"there is no run {', '.join(sorted(unknown))}")
    compose = Compose(chosen.project, free_port())
    compose.down()
    failed = False
    try:
        compose.up()
        for name in chosen.runs or [*RUNS, "websockets"]:
            began = time.monotonic()
            if name == "websockets":
                survival = asyncio.run(hold(compose, chosen.websockets, LONG_EVENTS))
                cut, text = bool(survival.failures), str(survival)
            else:
                seconds = max(chosen.seconds, 120.0) if name == "scale" and chosen.seconds >= 30 else chosen.seconds
                outcome = asyncio.run(under_load(compose, RUNS[name], seconds, chosen.clients))
                cut, text = bool(outcome.failures), str(outcome)
            failed = failed or cut
            print(f"{name}, {time.monotonic() - began:.0f} s\n{text}\n", flush=True)
    finally:
        compose.down()
        compose.client.close()
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
