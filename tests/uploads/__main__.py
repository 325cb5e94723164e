"""`python -m tests.uploads`: kills at random moments, also among small files, a full disk (as root), memory; at full length."""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from ..resumes.stage import stage
from .runs import MIB, full_disk, kill_at_random, memory
from .small import full_of_small, kill_among_small

RUNS = ("kills", "small", "disk", "memory")


def main() -> int:
    """Exit status 0 if all is as it should be."""
    parser = argparse.ArgumentParser(prog="python -m tests.uploads", description=__doc__)
    parser.add_argument("runs", nargs="*", metavar="RUN", help=f"{', '.join(RUNS)} (default: all)")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--size", type=int, default=4 << 30, help="bytes of the large file (default: 4 GiB)")
    parser.add_argument("--count", type=int, default=200, help="uploads at once (default: 200)")
    chosen = parser.parse_args()
    failed = False
    for run in chosen.runs or RUNS:
        with tempfile.TemporaryDirectory(prefix="uploads-") as name:
            print(f"{run}:", flush=True)
            failed = not _run(run, Path(name), chosen) or failed
    return int(failed)


def _run(run: str, folder: Path, chosen: argparse.Namespace) -> bool:
    if run == "kills":
        with stage(folder / "s", folder / "root", spool=folder / "spool") as made:
            kills = kill_at_random(made, folder, chosen.kills, 64 * MIB, folder / "spool")
        print(kills)
        return not kills.wrong
    if run == "small":
        with stage(folder / "s", folder / "root") as made:
            answered, wrong = kill_among_small(made, chosen.kills)
        print(f"{answered} small files, {chosen.kills} kills among them", *wrong, sep="\nFAILED: ")
        return not wrong
    if run == "disk":
        (folder / "disk").mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", folder / "disk"], check=True)
        try:
            with stage(folder / "s", folder / "disk/root", keep_free=0) as made:
                wrong = full_disk(made, folder, 64 * MIB) + full_of_small(made)
        finally:
            subprocess.run(["umount", folder / "disk"], check=True)
        print("\n".join(wrong) or "507 each time, nothing left, and all taken when there was space again")
        return not wrong
    with stage(folder / "s", folder / "root", parallel=chosen.count) as made:
        found = memory(made, folder, chosen.size, chosen.count)
    for way, size in found.items():
        print(f"{way}: {size / MIB:.1f} MiB beyond idle")
    return found["put"] < 30 * MIB and found["form"] < 30 * MIB and found[f"{chosen.count} at once"] < 100 * MIB


if __name__ == "__main__":
    sys.exit(main())
