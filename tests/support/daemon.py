"""Daemons that twistd starts as root and that go on as somebody else: folders, commands, and what /proc says of them."""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from portico.daemon.check import check
from portico.daemon.findings import Finding
from portico.daemon.plan import Plan
from portico.daemon.setup import steps

from .one_process import BIN
from .tree import ROOT

__all__ = ["GID", "NOBODY", "Daemon", "Ground", "as_root", "free_uid", "ground", "low_port", "spare_uids", "wait_until"]

NOBODY = 65534
"""A user with a passwd entry everywhere, and with nothing of its own."""
GID = 65534
PATIENCE = 30.0
"""Seconds for what takes one, on a machine that is busy."""


def as_root() -> None:
    """Only root can start daemons of others: elsewhere the test is skipped, or fails if PORTICO_REQUIRE_PROGRAMS is 1."""
    if os.geteuid() == 0:
        return
    if os.environ.get("PORTICO_REQUIRE_PROGRAMS") == "1":
        pytest.fail("programs are required, and this needs root", pytrace=False)
    pytest.skip("needs root")


def free_uid() -> int:
    """A number that the user database does not know."""
    known = {each.pw_uid for each in pwd.getpwall()}
    return next(number for number in range(61_000, 62_000) if number not in known)


def spare_uids(count: int) -> list[int]:
    """Users of the system which have an entry, and of whom no process runs."""
    busy = set()
    for status in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            busy.add(status.stat().st_uid)
    wanted = [each.pw_uid for each in pwd.getpwall() if 0 < each.pw_uid < 100 and each.pw_uid not in busy]
    assert len(wanted) >= count, wanted
    return wanted[:count]


def low_port() -> int:
    """80, or another one for root alone, where that is taken."""
    ports: list[int] = [80, *range(1023, 600, -1)]
    for port in ports:
        with socket.socket() as sock, contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no low port is free")


def wait_until(true: Callable[[], object], what: Callable[[], str] = str, seconds: float = PATIENCE) -> None:
    """Until it is.

    Raises:
        AssertionError: it was not, `what` says more.
    """
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, what()
        time.sleep(0.02)


class Ground:
    """A folder that every user can reach, and the daemons that were started in it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def kill(self) -> None:
        """Every process whose command line names something in the folder."""
        for each in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                if f"{self.path}/".encode() in each.read_bytes():
                    os.kill(int(each.parent.name), signal.SIGKILL)

    def folder(self, name: str, uid: int = 0, gid: int = 0, mode: int = 0o755) -> Path:
        """One in it."""
        path = self.path / name
        path.mkdir(parents=True)
        os.chown(path, uid, gid)
        path.chmod(mode)
        return path

    def daemon(self, *words: object, name: str = "d", folder: Path | None = None) -> "Daemon":
        """One with its PID file and log in folders `run` and `log` of `folder`, not yet started."""
        at = folder or self.path
        return Daemon(["--pidfile", at / f"run/{name}.pid", "--logfile", at / f"log/{name}.log", *words], self.path)


class Daemon:
    """A twistd command line, and the process that came of it."""

    def __init__(self, words: Sequence[object], folder: Path) -> None:
        self.words = [str(word) for word in words]
        self._folder = folder
        self.more: dict[str, str] = {}
        """Added to the environment."""
        self.pidfile, self.logfile = (Path(self._after(option)) for option in ("--pidfile", "--logfile"))
        self._pids: list[int] = []

    def _after(self, option: str) -> str:
        return self.words[self.words.index(option) + 1]

    def start(self, umask: int = 0o022, seconds: float = 60.0) -> subprocess.CompletedProcess[str]:
        """Run twistd until it says that the daemon has started, or has not."""
        done = self.run("twistd", *self.words, umask=umask, seconds=seconds)
        with contextlib.suppress(OSError, ValueError):
            self._pids.append(int(self.pidfile.read_text()))
        return done

    def started(self, umask: int = 0o022) -> "Daemon":
        """The same, where it has to."""
        done = self.start(umask)
        assert done.returncode == 0, f"{done.stdout}{done.stderr}\n{self.log}"
        return self

    def started_at(self, pidfile: Path) -> "Daemon":
        """Started, with its PID file somewhere else than its options say."""
        done = self.start()
        assert done.returncode == 0, f"{done.stdout}{done.stderr}\n{self.log}"
        self._pids.append(int(pidfile.read_text()))
        return self

    def adopt(self, pid: int) -> None:
        """It was started in some other way."""
        self._pids.append(pid)

    def fails(self) -> list[str]:
        """The codes of what daemon-check says that will fail. That Python's folder is closed is this machine's affair."""
        return [finding.code for finding in self.findings() if finding.fails and finding.code != "python"]

    def findings(self) -> list[Finding]:
        """All that daemon-check says."""
        return check(self.words, self._folder)

    def set_up(self) -> list[str]:
        """What daemon-setup does, and says."""
        said = []
        for step in steps(Plan(self.words, self._folder)):
            said.append(step.says)
            step.do()
        return said

    def tool(self, name: str, *options: str, umask: int = 0o022) -> subprocess.CompletedProcess[str]:
        """`portico daemon-check` or `daemon-setup` for it."""
        return self.run("portico", name, *options, "twistd", *self.words, umask=umask)

    def run(self, program: str, *words: str, umask: int = 0o022, seconds: float = 60.0) -> subprocess.CompletedProcess[str]:
        """A program of this environment, in the daemon's folder."""
        environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "PYTHONPATH": str(self._folder), **self.more}
        return subprocess.run(
            [str(BIN / program), *words], cwd=self._folder, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=seconds, umask=umask, env=environment, check=False,
        )  # fmt: skip

    @property
    def pid(self) -> int:
        """Of the process that was started last."""
        return self._pids[-1]

    @property
    def log(self) -> str:
        """All of it, the oldest first, as it is between two rotations."""
        for _ in range(100):
            before = self._log_files()
            with contextlib.suppress(FileNotFoundError):
                text = "".join(path.read_text(errors="replace") for path, _ in before)
                if self._log_files() == before:
                    return text
        raise AssertionError(f"it rotates without pause: {before}")

    def _log_files(self) -> list[tuple[Path, int]]:
        found = []
        for path in self.logfile.parent.glob(f"{self.logfile.name}*"):
            with contextlib.suppress(FileNotFoundError):
                found.append((path, path.stat().st_ino))
        return sorted(found, key=lambda each: (len(each[0].name), each[0].name), reverse=True)

    def users(self) -> set[str]:
        """The four user numbers of each thread."""
        found = set()
        for status in Path(f"/proc/{self.pid}/task").glob("*/status"):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # a thread that has ended meanwhile
                (line,) = [line for line in status.read_text().splitlines() if line.startswith("Uid:")]
                found.update(line.split()[1:])
        return found

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    @property
    def runs(self) -> bool:
        """Whether the process lives; one that nobody has waited for is dead."""
        try:
            return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        except OSError:
            return False

    def stop(self, seconds: float = PATIENCE) -> None:
        """SIGTERM, and wait for its end."""
        self.signal(signal.SIGTERM)
        wait_until(lambda: not self.runs, lambda: f"it does not end:\n{self.log[-3000:]}", seconds)


@contextlib.contextmanager
def ground() -> Iterator[Ground]:
    """One, with the daemons ended and the folder removed at the end. Its name is short: sockets lie in it."""
    path = Path(tempfile.mkdtemp(prefix="pd", dir="/tmp"))
    path.chmod(0o755)
    shutil.copytree(ROOT / "static/src/staticsvc/pages", path / "pages")
    (path / "files").mkdir()
    (path / "files/a.txt").write_text("a file\n")
    for each in (path / "pages", path / "files"):
        each.chmod(0o755)
    made = Ground(path)
    try:
        yield made
    finally:
        made.kill()
        shutil.rmtree(path, ignore_errors=True)
