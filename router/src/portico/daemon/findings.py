"""What `portico daemon-check` says."""

import grp
import pwd
from dataclasses import dataclass

__all__ = ["Finding", "owner"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that will fail, or that one should know."""

    code: str
    """A short name that stays: docs/daemon.md explains it."""
    option: str
    """The option whose value it is about, or the key of the configuration."""
    what: str
    """What will happen, and why."""
    mend: str
    """What to do about it."""
    path: str = ""
    found: str = ""
    """The owner and mode that are there."""
    wanted: str = ""
    """The owner and mode that would do."""
    fails: bool = True
    """False: it works so, and is told all the same."""

    def __str__(self) -> str:
        where = f"{self.option} {self.path}".strip()
        lines = [f"{'FAILS' if self.fails else 'note '} {where}: {self.what} [{self.code}]"]
        if self.found or self.wanted:
            lines.append(f"      found {self.found or 'nothing'}, wanted {self.wanted}")
        lines.append(f"      mend: {self.mend}")
        return "\n".join(lines)


def owner(uid: int, gid: int, mode: int) -> str:
    """`user:group mode`, by name where there is one."""
    try:
        user = pwd.getpwuid(uid).pw_name
    except KeyError:
        user = str(uid)
    try:
        group = grp.getgrgid(gid).gr_name
    except KeyError:
        group = str(gid)
    return f"{user}:{group} {mode & 0o7777:04o}"
