"""Will the log be there, and be rotated? Twisted's own log file and Portico's fail in different ways."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from .findings import Finding, owner
from .paths import inside
from .plan import Plan
from .probe import Facts, Probe

__all__ = ["check_log", "current_umask"]

SETUP = "portico daemon-setup makes folder and file, or: "


def current_umask() -> int:
    """This process's, which the one that opens the log will have too."""
    umask = os.umask(0o077)
    os.umask(umask)
    return umask


def check_log(plan: Plan, probe: Probe) -> Iterator[Finding]:
    """The findings."""
    path = plan.logfile
    if path is None:
        if plan.daemonises and plan.twistd["logfile"] == "-" and not plan.twistd["syslog"] and not plan.twistd["logger"]:
            what = "a daemon has no standard output: " + ("the log is lost" if plan.own_log else "twistd ends")
            yield Finding("log-lost", "--logfile", what, "name a file, or start it with --nodaemon", "-")
        return
    if not path.parent.is_dir():
        what = "the folder is not there, so twistd ends before it has begun"
        yield Finding(
            "log-folder", "--logfile", what, f"{SETUP}mkdir {path.parent}", str(path.parent), wanted=_wanted(plan, 0o750)
        )
        return
    if plan.own_log and path.is_symlink():
        yield Finding(
            "log-link", "--logfile", "is a symbolic link, which root does not follow", "name the file itself", str(path)
        )
        return
    if plan.own_log and not _rotates(plan) and not _reopens(plan):
        return
    there = inside(path, plan.jail) if plan.own_log and plan.jail is not None else path
    folder = probe.facts(there.parent)
    if folder is None:
        what = "its folder does not exist in the jail, so the file that was opened outside can never be rotated"
        mend = "portico daemon-setup makes it in the jail and leaves a link to it outside"
        yield Finding("log-jail", "--logfile", what, mend, str(there.parent), wanted=_wanted(plan, 0o750))
        return
    yield from _own(plan, probe, there, folder) if plan.own_log else _twisted(plan, probe, there, folder)


def _rotates(plan: Plan) -> bool:
    assert plan.part is not None
    size, daily, _ = plan.part.rotation
    return bool(size or daily) and not _reopens(plan)


def _reopens(plan: Plan) -> bool:
    assert plan.part is not None
    return bool(plan.part["log-reopen"])


def _twisted(plan: Plan, probe: Probe, path: Path, folder: Facts) -> Iterator[Finding]:
    """twisted/python/logfile.py: `rotate` asks access(), which goes by the real user, and closes before it renames."""
    file = probe.facts(path) or _future(folder)
    in_folder = probe.may(path.parent, os.W_OK | os.X_OK)
    if not plan.euid:  # with it the real user is root, who may do everything
        if not in_folder:
            yield _folder(plan, path, folder, "it is never rotated, and nothing says so")
            return
        if not _may_write(plan, file):
            what = "it is never rotated, and nothing says so: twistd asks first whether it may write to the file, and may not"
            mend = f"{SETUP}chown {plan.user}:{plan.group} {path}"
            yield Finding("log-file", "--logfile", what, mend, str(path), _found(file), _wanted(plan, 0o640))
            return
    if not in_folder:
        yield _folder(plan, path, folder, "at the first rotation the log is closed and never opened again")
    elif _sticks(plan, folder, file):
        what = "the folder is sticky: at the first rotation the log is closed and never opened again"
        yield _sticky(plan, path, folder, what)


def _own(plan: Plan, probe: Probe, path: Path, folder: Facts) -> Iterator[Finding]:
    file = probe.facts(path)
    if _reopens(plan):
        if file is not None and not _may_write(plan, file):
            what = "it cannot be opened anew at SIGUSR1; the old one stays in use"
            mend = f"{SETUP}chown {plan.user}:{plan.group} {path}"
            yield Finding("log-file", "--logfile", what, mend, str(path), _found(file), _wanted(plan, 0o640))
        return
    if not probe.may(path.parent, os.W_OK | os.X_OK):
        yield _folder(plan, path, folder, "it cannot be rotated, and grows")
    elif file is not None and _sticks(plan, folder, file):
        yield _sticky(plan, path, folder, "the folder is sticky: the log cannot be rotated, and grows")


def _folder(plan: Plan, path: Path, folder: Facts, what: str) -> Finding:
    mend = f"{SETUP}chown {plan.user}:{plan.group} {path.parent}"
    what = f"{what}: the folder is not the daemon's to write in"
    return Finding("log-folder", "--logfile", what, mend, str(path.parent), _found(folder), _wanted(plan, 0o750))


def _sticky(plan: Plan, path: Path, folder: Facts, what: str) -> Finding:
    mend = "take a folder of its own; portico daemon-setup makes it"
    return Finding("log-sticky", "--logfile", what, mend, str(path.parent), _found(folder), _wanted(plan, 0o750))


def _sticks(plan: Plan, folder: Facts, file: Facts) -> bool:
    return bool(folder.mode & stat.S_ISVTX) and plan.user not in (0, folder.uid, file.uid)


def _future(folder: Facts) -> Facts:
    """What twistd, as root, will make where there is no file yet."""
    group = folder.gid if folder.mode & stat.S_ISGID else os.getegid()
    return Facts(os.geteuid(), group, 0o666 & ~current_umask(), 0)


def _may_write(plan: Plan, file: Facts) -> bool:
    if plan.user in (0, file.uid):
        return plan.user == 0 or bool(file.mode & stat.S_IWUSR)
    return bool(file.mode & (stat.S_IWGRP if file.gid in plan.groups else stat.S_IWOTH))


def _found(facts: Facts) -> str:
    return owner(facts.uid, facts.gid, facts.mode)


def _wanted(plan: Plan, mode: int) -> str:
    return owner(plan.user, plan.group, mode)
