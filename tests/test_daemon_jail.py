"""What goes wrong because of a jail: daemon-check says it beforehand, and then it happens."""

import contextlib
import os
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .support.daemon import GID, NOBODY, Daemon, Ground, wait_until
from .support.one_process import BIN
from .support.raw import RawConnection
from .support.refusals import CONFIG, LIGHT, USER, portico, refused
from .support.site import free_port

pytestmark = pytest.mark.timeout(300)
"""Seconds; many processes are started, which takes its time where there is more to do."""


def jailed(place: Ground, port: int, *more: object, config: str = LIGHT) -> Daemon:
    jail = place.path / "jail"
    return portico(place, *USER, "--chroot", jail, "--rundir", "/", port=port, more=more, config=config)


@contextlib.contextmanager
def made(daemon: Daemon) -> Iterator[Path]:
    """Its jail, made by daemon-setup."""
    assert daemon.set_up()
    assert daemon.set_up() == []
    yield Path(daemon.words[daemon.words.index("--chroot") + 1])


def test_a_start_in_a_jail(place: Ground) -> None:
    port = free_port()
    daemon = jailed(place, port, "--log-size", 1 << 22, config=CONFIG)
    assert "jail" in daemon.fails()
    with made(daemon) as jail:
        assert daemon.fails() == []
        daemon.started()
        with RawConnection("127.0.0.1", port) as connection:
            assert connection.get("/static/a.txt").body == b"a file\n"
            assert connection.get("/").status == 200
            assert connection.get("/uploads/").status == 200
            connection.send(b"PUT /uploads/x HTTP/1.1\r\nHost: h\r\nAuthorization: Basic YTpi\r\nContent-Length: 1\r\n\r\nx")
            assert connection.response().status == 401
        with RawConnection("127.0.0.1", port) as connection:  # a name is looked up; the answer is this router's own, then
            assert connection.get("/app/x", Connection="close").status in (200, 404, 502, 503)
        assert daemon.users() == {str(NOBODY)}
        assert Path(f"/proc/{daemon.pid}/root").resolve() == jail
        assert daemon.pidfile.resolve().is_relative_to(jail)  # outside and inside it has one name
        assert "Another twistd server is running" in daemon.run("twistd", *daemon.words).stderr
        daemon.signal(signal.SIGUSR1)
        wait_until(lambda: Path(f"{daemon.logfile}.1").exists(), lambda: daemon.log)
        wait_until(lambda: daemon.logfile.exists() and daemon.logfile.stat().st_uid == NOBODY)
        daemon.signal(signal.SIGHUP)
        wait_until(lambda: "has been read again" in daemon.log, lambda: daemon.log)
        daemon.stop()
        assert "Import" not in daemon.log and "ModuleNotFound" not in daemon.log
        assert not daemon.pidfile.exists()


def test_a_jail_without_the_null_device_hangs_the_start(place: Ground) -> None:
    daemon = jailed(place, free_port())
    with made(daemon) as jail:
        (jail / "dev/null").unlink()
        (finding,) = [finding for finding in daemon.findings() if finding.fails and finding.code != "python"]
        assert (finding.code, finding.option, finding.path) == ("jail-null", "--chroot", f"{jail}/dev/null")
        environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"}
        parent = subprocess.Popen(
            [BIN / "twistd", *daemon.words], env=environment, cwd=place.path, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        alone = 0  # its children are gone, and it reads from a pipe of which it holds the other end itself
        deadline = time.monotonic() + 30
        while alone < 25 and time.monotonic() < deadline:
            assert parent.poll() is None
            alone = alone + 1 if children(parent.pid) and not others(daemon, parent.pid) else 0
            time.sleep(0.02)
        assert alone == 25
        parent.kill()
        parent.communicate()


def children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def others(daemon: Daemon, pid: int) -> list[Path]:
    """Further processes of this command line that live."""
    found = []
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if str(daemon.pidfile).encode() in each.read_bytes() and each.parent.name != str(pid):
                found.append(each)
    return found


def test_what_no_longer_resolves_in_a_jail(place: Ground) -> None:
    daemon = jailed(place, free_port())
    with made(daemon) as jail:
        (jail / "etc/passwd").unlink()
        assert daemon.fails() == ["no-user"]
        refused(daemon, "no-user", "KeyError")
        assert daemon.set_up() == [f"write {jail}/etc/passwd, {len(PASSWD)} bytes"]
        # folders that are the jail's under another name outside: the PID file is written where no second start looks
        (place.path / "run").unlink()
        place.folder("run", NOBODY, GID)
        assert daemon.fails() == ["pid-jail"]
        daemon.started_at(jail / daemon.pidfile.relative_to("/"))
        assert not daemon.pidfile.exists()
        again = daemon.run("twistd", *daemon.words)
        assert "Another twistd server" not in again.stderr
        daemon.stop()
        shutil.rmtree(place.path / "jail" / str(place.path).lstrip("/") / "run")
        assert "pid-folder" in daemon.fails()
        assert stat.S_ISDIR(os.stat(place.path / "run").st_mode)
        refused(daemon, "pid-folder", "FileNotFoundError")


def test_a_log_whose_folder_is_not_in_the_jail(place: Ground) -> None:
    daemon = jailed(place, free_port())
    with made(daemon) as jail:
        shutil.rmtree(jail / str(place.path).lstrip("/") / "log")
        (place.path / "log").unlink()
        place.folder("log", NOBODY, GID)
        assert daemon.fails() == ["log-jail"]
        daemon.started()
        daemon.signal(signal.SIGUSR1)
        wait_until(lambda: "cannot be rotated, what is open stays in use" in daemon.log, lambda: daemon.log)
        daemon.stop()


PASSWD = f"nobody:x:{NOBODY}:{GID}::/:/usr/sbin/nologin\n"
