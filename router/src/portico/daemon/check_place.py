"""Will the daemon get through twistd's steps: user, jail, run folder, PID file?"""

import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

from .findings import Finding, owner
from .plan import Plan
from .probe import Probe

__all__ = ["check_jail", "check_pidfile", "check_relative", "check_user"]

NULL = os.makedev(1, 3)
SETUP = "portico daemon-setup makes it, or: "


def check_user(plan: Plan, probe: Probe) -> Iterator[Finding]:
    """Whether twistd can become that user, and what that user can read of Python."""
    if plan.uid is None:
        if os.geteuid() == 0:
            what = "without it the daemon stays root, and so is whoever finds a way into it"
            mend = "name a user of its own: --uid portico --gid portico"
            yield Finding("root", "--uid", what, mend, wanted="any other user", fails=False)
        return
    number = str(plan.uid)
    if os.geteuid() and plan.uid != os.geteuid():
        yield Finding(
            "not-root", "--uid", "only root may change its user; twistd ends", "start it, and this check, as root", number
        )
    if plan.gid is None or not probe.has_passwd_entry(plan.uid):
        place = "/etc/passwd of the jail" if plan.jail is not None else "the user database"
        what = f"there is no such user in {place}; twistd asks for its groups and ends with KeyError"
        mend = (
            "portico daemon-setup writes the jail's" if plan.jail is not None else "make the user, for instance with sysusers.d"
        )
        yield Finding("no-user", "--uid", what, mend, number, wanted=f"an entry for uid {number}")
    if plan.euid:
        what = "only the effective user changes: the process stays root, and so does whoever takes it over"
        yield Finding("euid", "--euid", what, "leave it out, unless something needs root later on", fails=False)
    unread = next((path for path in _python() if not probe.may(path, os.R_OK | (os.X_OK if path.is_dir() else 0))), None)
    if plan.jail is None and unread is not None:
        what = "the daemon's user cannot read Python's modules, and what is imported after the start is not found"
        if plan.part is not None:
            what += "; Portico imports its own before, so this is about modules of yours"
        mend = "install Python and the packages where everybody may read them, such as /opt"
        closed = next((each for each in reversed(unread.parents) if not probe.may(each, os.X_OK)), unread)
        found = closed.stat()
        there = owner(found.st_uid, found.st_gid, found.st_mode)
        fails = plan.part is None
        yield Finding("python", "--uid", f"{closed}: {what}", mend, str(unread), there, "searchable for all", fails)


def _python() -> list[Path]:
    """The interpreter, its library, and the folders of packages."""
    found = [Path(sys.executable).resolve(), Path(os.__file__).parent, *(Path(each) for each in sys.path if each)]
    return [path for path in dict.fromkeys(found) if path.exists()]


def check_relative(plan: Plan) -> Iterator[Finding]:
    """Relative paths, which twistd resolves against two folders."""
    if plan.twistd["rundir"] == "." and plan.jail is None:
        return
    for option in ("logfile", "pidfile"):
        given = plan.twistd.given[option]
        if given and given != "-" and not Path(given).is_absolute():
            what = f"is in the folder where twistd is started, {plan.folder}, not in --rundir {plan.twistd['rundir']}"
            yield Finding("relative", f"--{option}", what, "give an absolute path", str(given), fails=False)
    rundir = plan.twistd["rundir"]
    if plan.jail is not None and not Path(plan.rundir).is_absolute():
        yield Finding(
            "relative", "--rundir", "is looked for after chroot(2), from a folder outside", "give an absolute path", rundir
        )


def check_jail(plan: Plan, probe: Probe) -> Iterator[Finding]:
    """What twistd needs in the jail, and the run folder, in a jail or not."""
    if plan.jail is not None:
        if not plan.jail.is_dir():
            yield Finding("jail", "--chroot", "is no folder", f"{SETUP}mkdir {plan.jail}", str(plan.jail))
            return
        if plan.daemonises:
            null = probe.facts("/dev/null")
            if null is None or not stat.S_ISCHR(null.mode) or null.device != NULL or not probe.opens("/dev/null"):
                what = "is not the null device in the jail: the daemon dies, and the command that started it waits for ever"
                mend = f"{SETUP}mknod -m 666 {plan.jail}/dev/null c 1 3, on a file system that is not mounted nodev"
                yield Finding("jail-null", "--chroot", what, mend, f"{plan.jail}/dev/null", wanted=owner(0, 0, 0o666))
    folder = probe.facts(plan.rundir)
    if folder is None or not stat.S_ISDIR(folder.mode):
        what = "is no folder" + (" in the jail" if plan.jail is not None else "") + "; twistd ends"
        yield Finding("rundir", "--rundir", what, f"{SETUP}mkdir it", plan.rundir)


def check_pidfile(plan: Plan, probe: Probe) -> Iterator[Finding]:
    """Whether it can be made, is seen by a second start, and goes with the daemon."""
    path = plan.pidfile
    if path is None:
        return
    wanted = owner(plan.user, plan.group, 0o755)
    there = Path(f"{plan.jail or ''}{path}")
    if os.geteuid() == 0 and there.is_symlink():
        what = "is a symbolic link: root would write where it leads, and whoever has the folder may have laid it"
        yield Finding("pid-link", "--pidfile", what, f"rm {there}", str(there))
        return
    yield from _running(path)
    folder = probe.facts(path.parent)
    if folder is None:
        where = "in the jail, where it is written" if plan.jail is not None else "there"
        what = f"the folder is not {where}, so twistd ends"
        yield Finding("pid-folder", "--pidfile", what, f"{SETUP}mkdir it", str(path.parent), wanted=wanted)
        return
    if plan.jail is not None and not _same(path.parent, probe):
        what = "is written in the jail and looked for outside: a second start is not refused"
        mend = f"portico daemon-setup leaves a link outside, or: ln -s {plan.jail}{path.parent} {path.parent}"
        yield Finding("pid-jail", "--pidfile", what, mend, str(path), wanted="the same folder inside and outside")
    found = owner(folder.uid, folder.gid, folder.mode)
    if not probe.may(path.parent, os.W_OK | os.X_OK):
        what = "stays when the daemon ends: the folder is not the daemon's to remove it from"
        mend = f"{SETUP}chown {plan.user}:{plan.group} {path.parent}"
        yield Finding("pid-folder", "--pidfile", what, mend, str(path.parent), found, wanted)
    elif folder.mode & stat.S_ISVTX and plan.user not in (0, folder.uid):
        what = "stays when the daemon ends: it is root's, and the folder is sticky"
        yield Finding("pid-sticky", "--pidfile", what, "take a folder of its own", str(path.parent), found, wanted)


def _same(folder: Path, probe: Probe) -> bool:
    try:
        found = folder.stat()
    except OSError:
        return False
    return probe.identity(folder) == (found.st_dev, found.st_ino)


def _running(path: Path) -> Iterator[Finding]:
    try:
        text = path.read_bytes()
    except OSError:
        return
    try:
        number = int(text)
        os.kill(number, 0)
    except (ValueError, OverflowError):
        yield Finding("pid-content", "--pidfile", "holds no process's number, so twistd ends", f"rm {path}", str(path))
        return
    except ProcessLookupError:
        return  # twistd removes it
    except OSError:
        pass
    what = f"names process {number}, which lives: twistd takes it for a running daemon and ends"
    yield Finding("running", "--pidfile", what, f"if `ps {number}` is another program: rm {path}", str(path))
