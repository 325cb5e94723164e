"""`python -m tests.traversal`: tries to get out of the static service's root, or to what is hidden in it, many times over."""

import argparse
import sys
import tempfile
from pathlib import Path

from ..support.static_site import static_site
from .attempts import make_root, run
from .shapes import targets


def main() -> int:
    """Exit status 0 if nothing got out."""
    parser = argparse.ArgumentParser(prog="python -m tests.traversal", description=__doc__)
    parser.add_argument("--attempts", type=int, default=10_000, help="(10,000)")
    parser.add_argument("--seed", type=int, default=1, help="chooses the attempts (1)")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        root, options = make_root(folder)
        with static_site(folder, root, options) as running:
            found = run(running.port, targets(chosen.attempts, chosen.seed))
    print(found)
    return int(bool(found.escaped or found.failed))


if __name__ == "__main__":
    sys.exit(main())
