"""`portico daemon-setup`: makes the folders and the log file of a daemon, and its jail, with the owners that work."""

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from .jail import Need, needs
from .jail_users import merged
from .places import folders
from .plan import BadCommand, Plan
from .steps import BadPlace, Step, device, file, folder, link, own, text

__all__ = ["BAD_USAGE", "run", "steps"]

BAD_USAGE = 2


def steps(plan: Plan, take: bool = False) -> Iterator[Step]:
    """What is not yet as it should be, in order; each is to be done before the next one is asked for.

    `take`: folders and files of third users are given away, too.

    Raises:
        BadPlace: something is in the way.
    """
    root = plan.jail or Path("/")
    if plan.jail is not None:
        yield from _jail(plan, plan.jail)
    uid, gid = plan.user, plan.group
    wanted = [(path, mode) for path, mode in folders(plan) if path is not None]
    for path, mode in dict(reversed(wanted)).items():
        if plan.jail is not None:
            yield from folder(_in(root, path.parent), 0, 0, 0o755, shared=True)
        yield from folder(_in(root, path), uid, gid, mode, take=take)
        if plan.jail is not None and path in (plan.pidfile and plan.pidfile.parent, plan.logfile and plan.logfile.parent):
            yield from link(path, _in(root, path))
    if plan.logfile is not None:
        yield from file(_in(root, plan.logfile), uid, gid, 0o640, take=take)


def _in(root: Path, path: Path) -> Path:
    """A path of the jail, as it is called outside.

    Raises:
        BadPlace: a link in the jail, which inside leads somewhere in it, leads out of it.
    """
    there = root / path.relative_to(path.anchor)  # which may be two slashes
    _stays(root, there)
    return there


def _stays(root: Path, there: Path) -> None:
    if there != root and not there.parent.resolve().is_relative_to(root.resolve()):
        raise BadPlace(f"{there} is not in the jail: a link on the way leads to {there.parent.resolve()}")


def _jail(plan: Plan, jail: Path) -> Iterator[Step]:
    own(jail)  # a daemon's folders are made in it
    yield from folder(jail, 0, 0, 0o755, shared=True)
    if plan.rundir.startswith("/"):
        yield from folder(_in(jail, Path(plan.rundir)), 0, 0, 0o755, shared=True)
    yield from device(_in(jail, Path("/dev/null")), 1, 3)
    yield from _users(_in(jail, Path("/etc/passwd")), _in(jail, Path("/etc/group")), plan)
    for need in needs(plan):
        yield from _copied(need.path, _in(jail, need.path), plan, need)


def _users(passwd: Path, group: Path, plan: Plan) -> Iterator[Step]:
    """A jail that was made by hand keeps the users that it has, and its files their owners and modes."""
    there = [_there(path) for path in (passwd, group)]
    try:
        wanted = merged(there[0], there[1], plan)
    except ValueError as error:
        raise BadPlace(f"{passwd} and {group.name}: {error}") from None
    for path, content in zip((passwd, group), wanted, strict=True):
        found = path.stat() if path.exists() else None
        if found is None:
            yield from text(path, content)
        else:
            yield from text(path, content, stat.S_IMODE(found.st_mode), (found.st_uid, found.st_gid))


def _there(path: Path) -> bytes:
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise BadPlace(f"{path} is no plain file, so the daemon's user is not added to it")
    return path.read_bytes() if path.exists() else b""


def _copied(path: Path, to: Path, plan: Plan, need: Need) -> Iterator[Step]:
    """What is not there outside is not made up inside; daemon-check says that it is missing.

    In a folder links are left out, which static does not serve, and what the daemon's user could not read outside: root reads
    more than it, and what is in the jail is for all who are.
    """
    _stays(plan.jail or Path("/"), to)
    owners = (0, plan.group) if need.private else (0, 0)
    mode = 0o640 if need.private else 0o644
    if path.is_dir():
        yield from folder(to, 0, 0, 0o755, shared=True)
        for each in sorted(each for each in path.iterdir() if _is_copied(plan, need, each.lstat())):
            yield from _copied(each, to / each.name, plan, need)
    elif path.is_file():
        yield from text(to, path.read_bytes(), mode, owners)


def _is_copied(plan: Plan, need: Need, found: os.stat_result) -> bool:
    """Whether it is no link, and for the daemon's user to read."""
    if stat.S_ISLNK(found.st_mode) or need.public:
        return not stat.S_ISLNK(found.st_mode)
    if plan.user in (0, found.st_uid):
        return plan.user == 0 or bool(found.st_mode & stat.S_IRUSR)
    return bool(found.st_mode & (stat.S_IRGRP if found.st_gid in plan.groups else stat.S_IROTH))


def run(command: Sequence[str], dry: bool, take: bool = False) -> int:
    """Do what is to be done, or only say it."""
    try:
        plan = Plan(command)
    except BadCommand as error:
        print(f"portico: {error}")
        return BAD_USAGE
    if plan.problem is not None:
        print(f"portico: {plan.problem}")
        return BAD_USAGE
    if os.geteuid() and not dry:
        print("portico: only root can give folders to another user")
        return BAD_USAGE
    count = 0
    said: set[str] = set()
    try:
        for step in steps(plan, take):
            if step.says in said:  # of a folder that is not there yet in a dry run
                continue
            said.add(step.says)
            print(step.says)
            count += 1
            if not dry:
                step.do()
    except (BadPlace, OSError) as error:
        print(f"portico: {error}")
        return 1
    if not count:
        print("all is as it should be")
    return 0
