"""Arrangements of folders, owners and options, each started for real: what daemon-check says beforehand is what happens.

`twisted` is a TAC file with nothing of ours, and Twisted's own log file; `ours` is Portico with its own.
"""

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from portico.daemon.check import check
from portico.daemon.findings import Finding

from .support.daemon import GID, NOBODY, Daemon, Ground, as_root, ground, wait_until

pytestmark = pytest.mark.timeout(300)
"""Seconds; many processes are started, which takes its time where there is more to do."""

UID = NOBODY
USER = ("--uid", UID, "--gid", GID)
TAC = """
import signal
from twisted.application import service
from twisted.python import log
from twisted.internet import reactor

application = service.Application("stock")
mark = lambda *_: reactor.callFromThread(log.msg, "SIGHUP: a mark")
signal.signal(signal.SIGHUP, mark)  # at once: twistd says that it has started before its reactor runs
"""
CONFIG = """
listeners = [{{address = "127.0.0.1:0"}}]
routes = [{{path = "/", service = "web"}}]
services.web = {{target = "tcp", address = "127.0.0.1:9"}}
"""


@dataclass(frozen=True)
class Arrangement:
    """How the folders `log` and `run` are made, and what becomes of log and PID file with each log file."""

    options: tuple[object, ...]
    make: Callable[[Path, Path], None]
    twisted: str
    ours: str
    removed: bool
    umask: int = 0o022


def both(uid: int, gid: int, mode: int) -> Callable[[Path, Path], None]:
    def make(log: Path, run: Path) -> None:
        for folder in (log, run):
            os.chown(folder, uid, gid)
            folder.chmod(mode)

    return make


def with_file(uid: int, gid: int, mode: int, file_uid: int, file_mode: int) -> Callable[[Path, Path], None]:
    def make(log: Path, run: Path) -> None:
        both(uid, gid, mode)(log, run)
        file = log / "d.log"
        file.touch()
        os.chown(file, file_uid, file_uid and gid)
        file.chmod(file_mode)

    return make


ROTATED, NEVER, DEAD = "rotated", "never", "dead"
"""The old file beside a new one; still one file, which grows; and one that takes no more lines."""

ARRANGEMENTS = {
    "root's": Arrangement(USER, both(0, 0, 0o755), NEVER, NEVER, False),
    "owned, the log made by root": Arrangement(USER, with_file(UID, GID, 0o755, 0, 0o644), NEVER, ROTATED, True),
    "owned, the log not there yet": Arrangement(USER, both(UID, GID, 0o755), NEVER, ROTATED, True),
    "sticky": Arrangement(USER, with_file(0, 0, 0o1777, 0, 0o666), DEAD, NEVER, False, 0),
    "open to all": Arrangement(USER, with_file(0, 0, 0o777, 0, 0o666), ROTATED, ROTATED, True, 0),
    "owned, and the log file too": Arrangement(USER, with_file(UID, GID, 0o755, UID, 0o640), ROTATED, ROTATED, True),
    "the group's": Arrangement(("--uid", UID, "--gid", 33), both(0, 33, 0o2770), ROTATED, ROTATED, True, 0o007),
    "owned, euid": Arrangement((*USER, "--euid"), both(UID, GID, 0o755), ROTATED, ROTATED, True),
    "root's, euid": Arrangement((*USER, "--euid"), both(0, 0, 0o755), DEAD, NEVER, False),
}


@pytest.fixture(scope="module")
def place() -> Iterator[Ground]:
    as_root()
    with ground() as made:
        (made.path / "stock.tac").write_text(TAC)
        (made.path / "p.toml").write_text(CONFIG.format())
        yield made


@dataclass
class Trial:
    """An arrangement made, and what was said of it."""

    daemon: Daemon
    arrangement: Arrangement
    expected: str
    said: list[Finding]

    def run(self) -> str:
        """Start, rotate, stop; what is wrong with it, or nothing."""
        daemon, arrangement = self.daemon.started(self.arrangement.umask), self.arrangement
        seen = rotate(daemon)
        daemon.stop()
        said = {finding.code.split("-")[0] for finding in self.said if finding.fails and finding.code != "python"}
        wanted = {code for code, fails in (("log", self.expected != ROTATED), ("pid", not arrangement.removed)) if fails}
        problems = [
            f"the log is {seen}, expected {self.expected}" if seen != self.expected else "",
            f"PID file: {daemon.pidfile.exists()}" if daemon.pidfile.exists() == arrangement.removed else "",
            f"said: {said}, expected {wanted}" if said != wanted else "",
        ]
        return "; ".join(problem for problem in problems if problem)


def trial(place: Ground, kind: str, name: str) -> Trial:
    """Make it, and check it."""
    arrangement = ARRANGEMENTS[name]
    folder = place.path / f"{kind}{list(ARRANGEMENTS).index(name)}"
    log, run = folder / "log", folder / "run"
    for each in (log, run):
        each.mkdir(parents=True)
    arrangement.make(log, run)
    if kind == "twisted":
        words: tuple[object, ...] = ("-y", place.path / "stock.tac")
    else:
        words = ("portico-keeper", "--config", place.path / "p.toml", "--address", f"@{folder}")
    daemon = place.daemon(*arrangement.options, "--rundir", "/", *words, folder=folder)
    before = os.umask(arrangement.umask)
    try:
        said = check(daemon.words, place.path)
    finally:
        os.umask(before)
    return Trial(daemon, arrangement, getattr(arrangement, kind), said)


def rotate(daemon: Daemon) -> str:
    """What SIGUSR1 makes of the log: the same code as when it is full, which `test_daemon` tries."""
    rotated = Path(f"{daemon.logfile}.1")
    inode = daemon.logfile.stat().st_ino
    assert mark(daemon)
    daemon.signal(signal.SIGUSR1)
    # two marks: the first one's signal may be heard together with the one before it
    if not (mark(daemon) and mark(daemon)):
        return DEAD
    if not rotated.exists():
        return NEVER
    fresh = daemon.logfile.stat()
    assert rotated.stat().st_ino == inode
    assert fresh.st_uid == UID
    assert "SIGHUP: " in daemon.logfile.read_text()
    return ROTATED


def mark(daemon: Daemon) -> bool:
    """Have a line written; False if the log is not open any more, and stays so."""
    before, closed = daemon.log.count("SIGHUP: "), 0

    def done() -> bool:
        nonlocal closed
        closed = 0 if is_open(daemon) else closed + 1
        return daemon.log.count("SIGHUP: ") > before or closed > 50

    daemon.signal(signal.SIGHUP)
    wait_until(done, lambda: daemon.log)
    return closed <= 50


def is_open(daemon: Daemon) -> bool:
    for each in Path(f"/proc/{daemon.pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            if str(each.readlink()).startswith(str(daemon.logfile)):
                return True
    return False


@pytest.mark.parametrize("kind", ["twisted", "ours"])
def test_what_is_said_beforehand_is_what_happens(place: Ground, kind: str) -> None:
    trials = {name: trial(place, kind, name) for name in ARRANGEMENTS}
    with ThreadPoolExecutor(4) as pool:
        runs = {name: pool.submit(each.run) for name, each in trials.items()}
        problems = {name: run.result() for name, run in runs.items()}
    assert {name: problem for name, problem in problems.items() if problem} == {}


def test_what_a_third_user_has_is_given_away_only_if_told_so(place: Ground) -> None:
    file = place.path / "portico.toml"
    file.write_text(CONFIG.format())
    theirs = place.folder("log", 1, 1, 0o750)
    daemon = place.daemon(*USER, "--rundir", "/", "portico", "--config", file, "--state", place.path / "state")
    refused = daemon.tool("daemon-setup")
    assert refused.returncode == 1
    assert f"{theirs} is of another user, daemon:daemon 0750" in refused.stdout and "--take-over" in refused.stdout
    assert theirs.stat().st_uid == 1
    assert daemon.tool("daemon-setup", "--take-over").returncode == 0
    assert theirs.stat().st_uid == NOBODY and daemon.fails() == []
