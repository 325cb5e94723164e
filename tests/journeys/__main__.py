"""`python -m tests.journeys`: clients that go from service to service, rest, upgrade and take bulk, while routes are reloaded.

Each answer must be the right server's, for the right client, by the rules of that moment; afterwards nothing is held, and the
access log has told of each connection who has had it, and how many bytes it got.
"""

import argparse
import random
import sys
import tempfile
from pathlib import Path

from .runs import run


def main() -> int:
    """Exit status 0 if nothing was wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.journeys", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="to go on for (60)")
    parser.add_argument("--seed", type=int, default=None, help="chooses what happens (each time another one)")
    chosen = parser.parse_args()
    seed = random.SystemRandom().randrange(1 << 32) if chosen.seed is None else chosen.seed
    with tempfile.TemporaryDirectory(prefix="jo") as folder:
        outcome = run(Path(folder), seed, chosen.seconds)
    print(f"seed {seed}: {outcome}", flush=True)
    return int(bool(outcome.failures))


if __name__ == "__main__":
    sys.exit(main())
