"""`python -m tests.systemd`: the units of deploy/systemd under a real systemd, installed as docs/daemon.md says.

A Debian is made from its packages and started in a privileged container, a copy of this tree is installed in it by the page's
own commands, and what the units promise is tried. As root; needs a Docker engine and mmdebstrap. About ten minutes.
"""

import argparse
import sys
import time

from . import units
from .classic import apart, classic
from .machine import Machine, machine
from .page import commands
from .restarts import restarted

SPARSE = "systemctl --no-pager --plain --no-legend list-units 'portico*'"
IN_ORDER = (
    units.healthy, units.started, units.exposure, units.confinement, units.activated, units.reloaded, restarted, units.stopped,
    units.watched, units.down, apart, classic,
)  # fmt: skip
CHECKS = {check.__name__: check for check in IN_ORDER}


def install(made: Machine) -> str:
    """As the page says, line by line, in a clone; then a file to ask for."""
    made.clone()
    made.says(commands("Installation")[0], seconds=600)
    made.says(commands("systemd")[0])
    made.says("echo a file > /srv/portico/a.txt")
    return made.says(SPARSE)


def main() -> int:
    """Exit status 0 if all is as promised."""
    parser = argparse.ArgumentParser(prog="python -m tests.systemd", description=__doc__)
    parser.add_argument("--name", default="portico-systemd", help="of the container and its image, both removed at the end")
    parser.add_argument("--suite", default="bookworm", help="of Debian; bookworm has systemd 252, whose scores the page has")
    parser.add_argument("--image", help="one that was made before, which stays")
    parser.add_argument("checks", nargs="*", metavar="CHECK", help=f"{', '.join(CHECKS)} (default: all)")
    chosen = parser.parse_args()
    unknown = set(chosen.checks) - set(CHECKS)
    if unknown:
        parser.error(f"there is no check {', '.join(sorted(unknown))}")
    failed = 0
    with machine(chosen.name, chosen.suite, chosen.image) as made:
        for check in (install, *(CHECKS[name] for name in chosen.checks or CHECKS)):
            began = time.monotonic()
            try:
                said = check(made)
            except (AssertionError, OSError) as error:
                failed += 1
                said = f"FAILED: {error}"
            print(f"{check.__name__} ({time.monotonic() - began:.0f} s): {said}", flush=True)
            if failed and check is install:
                break
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
