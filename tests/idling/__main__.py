"""`python -m tests.idling`: connections through tcp services fall idle by the thousand, and go on or end in every way there is,
in random order, while the router is reloaded, loses the service, has no descriptors, or ends.

What a client gets is looked at byte by byte. After each round the router must have the descriptors, places and gauges that it
had before, and each connection must be in its access log with its bytes.
"""

import argparse
import random
import sys
import tempfile
from pathlib import Path

from svckit.descriptors import raise_limit

from .runs import WAYS, run


def main() -> int:
    """Exit status 0 if nothing was wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.idling", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="of each way (5)")
    parser.add_argument("--connections", type=int, default=2_000, help="in each round (2000)")
    parser.add_argument("--seed", type=int, default=None, help="chooses what happens (each time another one)")
    chosen = parser.parse_args()
    raise_limit()
    seed = random.SystemRandom().randrange(1 << 32) if chosen.seed is None else chosen.seed
    ways = [way for _ in range(chosen.rounds) for way in WAYS[:-1]]
    random.Random(seed).shuffle(ways)
    with tempfile.TemporaryDirectory(prefix="id") as folder:
        outcome = run(Path(folder), [*ways, WAYS[-1]], chosen.connections, seed)
    print(f"seed {seed}: {outcome}", flush=True)
    return int(bool(outcome.failures))


if __name__ == "__main__":
    sys.exit(main())
