"""The folders that a daemon needs for itself, and whether they are still there after the machine has been started anew."""

from collections.abc import Iterator
from pathlib import Path

from ..config import admin_address
from .findings import Finding, owner
from .options import KeeperOptions, ServiceOptions
from .plan import Plan

__all__ = ["check_boot", "folders"]

EMPTIED = (Path("/run"), Path("/var/run"))
"""What is empty after each start of the machine."""
TMPFILES = tuple(Path(root, "tmpfiles.d") for root in ("/etc", "/run", "/usr/local/lib", "/usr/lib"))
"""Where systemd-tmpfiles(8) is told what to make then."""


def folders(plan: Plan) -> Iterator[tuple[Path | None, int]]:
    """Each with its mode; the first mention of one decides."""
    yield plan.pidfile and plan.pidfile.parent, 0o755
    yield plan.logfile and plan.logfile.parent, 0o750
    yield plan.state, 0o700
    if isinstance(plan.part, KeeperOptions) and not str(plan.keeper).startswith("@"):
        yield plan.running(plan.keeper).parent, 0o755
    if isinstance(plan.part, ServiceOptions):
        environment, name = plan.part.environment, str(plan.part["name"])
        if (plan.part["what"] or name) != "authsvc":
            yield Path(environment["PORTICO_RUN"]) / name, 0o2770
        elif "PORTICO_AUTH" in environment:
            yield Path(environment["PORTICO_AUTH"]), 0o2770
    elif plan.config is not None and plan.config.admin is not None and not isinstance(plan.part, KeeperOptions):
        where = admin_address(plan.config.admin.address)
        if isinstance(where, Path) and plan.running(where).parent not in (Path("/tmp"), Path("/run")):  # noqa: S108
            yield plan.running(where).parent, 0o755


def check_boot(plan: Plan) -> Iterator[Finding]:
    """Folders below /run that nobody makes again."""
    made = _made_at_boot()
    for path, mode in dict.fromkeys(folders(plan)):
        if path is None or path in made or not any(root in path.parents for root in EMPTIED):
            continue
        line = f"d {path} {mode:04o} {owner(plan.user, plan.group, mode).split()[0].replace(':', ' ')} -"
        mend = "portico daemon-setup before each start" + ("" if plan.jail else f", or in /etc/tmpfiles.d/portico.conf: {line}")
        what = f"{path} is gone when the machine has been started anew, and the daemon does not start"
        yield Finding("volatile", "tmpfiles.d", what, mend, str(path), fails=False)


def _made_at_boot() -> set[Path]:
    """What lines of tmpfiles.d make, in the form of paths below /run."""
    found = set()
    for file in (file for folder in TMPFILES for file in folder.glob("*.conf")):
        for line in file.read_text(errors="replace").splitlines():
            words = line.split()
            if len(words) > 1 and words[0][:1] in "dDL":
                found.add(Path(words[1]))
    return found
