"""`python -m tests.resumes`: tuspy and tus-js-client upload through a way that breaks, while replicas come and go.

tus-js-client comes from a folder in which `npm install tus-js-client` was run; without one its runs are left out.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from .runs import CLIENTS, make_file, upload
from .stage import stage

DRAIN_TIME = 10.0
"""What services have unless they are told otherwise. A client that has sent all its parts asks once for the whole, and never
again; that takes seconds on a disk that is busy with them."""


def main() -> int:
    """Exit status 0 if every file came as it was sent, and nothing else is left."""
    parser = argparse.ArgumentParser(prog="python -m tests.resumes", description=__doc__)
    parser.add_argument("--modules", type=Path, metavar="FOLDER", help="where tus-js-client is installed")
    parser.add_argument("--size", type=int, default=1_000_000_000, help="bytes (default: 1 GB)")
    parser.add_argument("--cuts", type=int, default=20)
    chosen = parser.parse_args()
    failed = False
    with tempfile.TemporaryDirectory(prefix="resumes-") as name:
        folder = Path(name)
        digest = make_file(folder / "source", chosen.size)
        for number, client in enumerate(CLIENTS if chosen.modules else CLIENTS[:1]):
            with stage(folder / str(number), folder / f"root{number}", DRAIN_TIME) as made:
                run = upload(made, client, folder / "source", digest, chosen.cuts, chosen.modules)
            print(run, f"(left over: {run.left})", flush=True)
            failed = failed or not run.same or bool(run.left) or run.cuts != chosen.cuts or run.replicas != [1, 3, 1]
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
