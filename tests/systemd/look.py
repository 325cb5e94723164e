"""Who runs what in the machine: /proc, as root sees it."""

from dataclasses import dataclass, field
from typing import Any

__all__ = ["PROGRAM", "Process", "confined", "of_root", "processes"]

PROGRAM = r"""
import json, os
from pathlib import Path

def lines(path):
    return dict(line.split(":\t", 1) for line in Path(path).read_text().splitlines() if ":\t" in line)

found = []
for folder in Path("/proc").glob("[0-9]*"):
    try:
        command = (folder / "cmdline").read_bytes().decode().replace("\0", " ").strip()
        if not command or int(folder.name) == os.getpid():
            continue
        tasks = [lines(task / "status") for task in (folder / "task").iterdir()]
        status = lines(folder / "status")
        found.append({
            "pid": int(folder.name), "command": command, "group": (folder / "cgroup").read_text(),
            "users": sorted({user for task in tasks for user in task["Uid"].split()}, key=int),
            "groups": sorted({each for task in tasks for each in (task["Gid"] + " " + task["Groups"]).split()}, key=int),
            "capabilities": sorted({task[kind] for task in tasks for kind in task if kind.startswith("Cap")}),
            "no_new_privileges": {task["NoNewPrivs"] for task in tasks} == {"1"},
            "filtered": {task["Seccomp"] for task in tasks} == {"2"},
            "interfaces": [line.split(":")[0].strip() for line in (folder / "net/dev").read_text().splitlines()[2:]],
            "threads": len(tasks),
        })
    except (FileNotFoundError, ProcessLookupError):
        pass
print(json.dumps(found))
"""
NO_CAPABILITY = "0" * 16


@dataclass(frozen=True)
class Process:
    """One, with all its threads."""

    pid: int
    command: str
    group: str
    """Its control groups, of which one is named by the unit."""
    users: list[str] = field(default_factory=list)
    """The four user numbers of all threads."""
    groups: list[str] = field(default_factory=list)
    capabilities: list[str] = field(default_factory=list)
    """All five sets of all threads."""
    no_new_privileges: bool = False
    filtered: bool = False
    """Whether system calls are."""
    interfaces: list[str] = field(default_factory=list)
    threads: int = 1

    @property
    def unit(self) -> str:
        """The unit that it belongs to, empty for those of none."""
        names = [line.rpartition("/")[2] for line in self.group.splitlines()]
        return next((name for name in names if name.endswith((".service", ".scope"))), "")


def processes(said: list[dict[str, Any]]) -> list[Process]:
    """Of what PROGRAM prints."""
    return [Process(**each) for each in said]


def of_root(found: list[Process]) -> list[str]:
    """What runs as root, or could become it."""
    return sorted(f"{each.unit or '-'}: {each.command[:60]}" for each in found if "0" in each.users)


def confined(found: list[Process], unit: str, uid: str, gid: str, *, network: bool) -> list[str]:
    """What is not as the unit promises of its processes: one user in one group, without any right, alone with the loopback."""
    mine = [each for each in found if each.unit == unit]
    wrong = [] if mine else [f"{unit}: no process"]
    for each in mine:
        promised = {
            "users": (each.users, [uid]),
            "groups": (each.groups, [gid]),
            "capabilities": (each.capabilities, [NO_CAPABILITY]),
            "no new privileges": (each.no_new_privileges, True),
            "a system call filter": (each.filtered, True),
            "network": (each.interfaces != ["lo"], network),
        }
        wrong += [
            f"{unit}, process {each.pid}: {what}: {is_} instead of {said}"
            for what, (is_, said) in promised.items()
            if is_ != said
        ]
    return wrong
