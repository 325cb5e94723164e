"""`portico daemon-check`: what would fail, and how to mend it, before anything is started."""

from collections.abc import Sequence
from pathlib import Path

from .check_files import check_configuration, check_ports, check_service, check_state
from .check_log import check_log
from .check_place import check_jail, check_pidfile, check_relative, check_user
from .findings import Finding
from .places import check_boot
from .plan import BadCommand, Plan
from .probe import Probe

__all__ = ["BAD_USAGE", "check", "run"]

BAD_USAGE = 2


def check(command: Sequence[str], folder: Path | None = None) -> list[Finding]:
    """All findings for a command line that starts a daemon in `folder`; nothing is changed.

    Raises:
        BadCommand: twistd would not understand it.
    """
    plan = Plan(command, folder)
    probe = Probe(plan)
    found = [*check_user(plan, probe), *check_relative(plan), *check_jail(plan, probe)]
    if any(finding.code == "jail" for finding in found):
        return found
    return [
        *found,
        *check_pidfile(plan, probe),
        *check_log(plan, probe),
        *check_configuration(plan, probe),
        *check_ports(plan),
        *check_state(plan, probe),
        *check_service(plan, probe),
        *check_boot(plan),
    ]


def run(command: Sequence[str]) -> int:
    """Print the findings; exit status 1 if anything fails."""
    try:
        found = check(command)
    except BadCommand as error:
        print(f"portico: {error}")
        return BAD_USAGE
    for finding in found:
        print(finding)
    failing = sum(finding.fails for finding in found)
    print("it will work" if not failing else f"{failing} of these will fail")
    return 1 if failing else 0
