"""What goes wrong at the start, or because of a jail: daemon-check says it beforehand, and then it happens."""

import contextlib
import os
import shutil
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .support.daemon import GID, NOBODY, Daemon, Ground, as_root, free_uid, ground, wait_until
from .support.one_process import BIN
from .support.raw import RawConnection
from .support.site import free_port

pytestmark = pytest.mark.timeout(300)
"""Seconds; many processes are started, which takes its time where there is more to do."""

CONFIG = """
listeners = [{{address = "127.0.0.1:{port}"}}]
routes = [
  {{path = "/", service = "static"}},
  {{prefix = "/static/", service = "static"}},
  {{prefix = "/uploads/", service = "uploads"}},
  {{prefix = "/ws/autobahn/", service = "autobahn"}},
  {{prefix = "/app/", service = "app"}},
]
services.static = {{target = "handoff"{static}}}
services.uploads = {{target = "handoff"}}
services.autobahn = {{target = "handoff"}}
services.app = {{target = "tcp", address = "localhost:{port}", keepalive = "close"}}
in_process.also = ["authsvc"]
"""
USER = ("--uid", NOBODY, "--gid", GID)


@pytest.fixture
def place() -> Iterator[Ground]:
    as_root()
    with ground() as made:
        yield made


LIGHT = """
listeners = [{{address = "127.0.0.1:{port}"}}]
routes = [{{path = "/", service = "static"}}]
services.static = {{target = "handoff"{static}}}
"""


def portico(
    place: Ground, *twistd: object, port: int | None = None, more: tuple[object, ...] = (), config: str = LIGHT
) -> Daemon:
    """With its options named in the configuration, as the folders of the packages may be closed to others."""
    static = f', options = {{root = "{place.path}/files", pages = "{place.path}/pages"}}'
    file = place.path / "portico.toml"
    file.write_text(config.format(port=port or free_port(), static=static))
    return place.daemon(*twistd, "portico", "--config", file, "--state", place.path / "state", *more)


def refused(daemon: Daemon, code: str, says: str) -> None:
    """Both say so: the check beforehand, by its code, and twistd then, or the log."""
    assert code in daemon.fails(), daemon.findings()
    done = daemon.start()
    assert done.returncode != 0
    # twistd's parent ends before its child has written the log and removed the PID file
    wait_until(lambda: says in f"{done.stdout}{done.stderr}{log_of(daemon)}", lambda: f"{done}{log_of(daemon)}")
    wait_until(lambda: not daemon.pidfile.exists())


def log_of(daemon: Daemon) -> str:
    return daemon.log if daemon.logfile.parent.is_dir() else ""


def test_a_user_without_an_entry(place: Ground) -> None:
    uid = free_uid()
    daemon = portico(place, "--uid", uid, "--gid", uid, "--rundir", "/")
    daemon.set_up()
    (finding,) = [finding for finding in daemon.findings() if finding.code == "no-user"]
    assert (finding.option, finding.path) == ("--uid", str(uid))
    refused(daemon, "no-user", f"KeyError: 'getpwuid(): uid not found: {uid}'")


def test_a_port_that_somebody_has(place: Ground) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        daemon = portico(place, *USER, "--rundir", "/", port=taken.getsockname()[1])
        daemon.set_up()
        refused(daemon, "port", "Address already in use")


def test_an_operators_port_that_somebody_has(place: Ground) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        admin = f'admin.address = "127.0.0.1:{taken.getsockname()[1]}"\n'
        daemon = portico(place, *USER, "--rundir", "/", config=admin + LIGHT)
        daemon.set_up()
        refused(daemon, "port", "CannotListenError")


def test_a_router_that_may_not_see_the_sockets(place: Ground) -> None:
    port, file = free_port(), place.path / "portico.toml"
    place.folder("web", 1, 1, 0o770)
    file.write_text(
        f'listeners = [{{address = "127.0.0.1:{port}"}}]\nroutes = [{{path = "/", service = "web"}}]\n'
        f'services.web = {{target = "handoff", folder = "{place.path}/web"}}\nlimits.queue_timeout = 0.1\n'
    )
    daemon = place.daemon(*USER, "--rundir", "/", "portico-router", "--config", file)
    daemon.set_up()
    (finding,) = [finding for finding in daemon.findings() if finding.fails and finding.code != "python"]
    assert (finding.code, finding.option, finding.path) == ("sockets", "services.web", f"{place.path}/web")
    daemon.started()
    with RawConnection("127.0.0.1", port) as connection:
        assert connection.get("/").status == 503
    daemon.stop()
    (place.path / "web").chmod(0o775)
    assert daemon.fails() == []


def test_a_key_that_only_root_may_read(place: Ground) -> None:
    key = place.path / "site.pem"
    key.touch(0o600)
    tls = LIGHT.replace('"}}]\nroutes', f'", tls = {{{{certificate = "{key}"}}}}}}}}]\nroutes', 1)
    daemon = portico(place, *USER, "--rundir", "/", config=tls)
    daemon.set_up()
    finding = next(finding for finding in daemon.findings() if finding.code == "certificate")
    assert (finding.path, finding.found, finding.wanted) == (str(key), "root:root 0600", "nobody:nogroup 0640")
    refused(daemon, "certificate", "An error has occurred")


def test_a_store_that_somebody_else_has_made(place: Ground) -> None:
    daemon = portico(place, *USER, "--rundir", "/", config=CONFIG)
    daemon.set_up()
    folder = place.path / "state/authsvc"
    folder.mkdir()
    os.chown(folder, NOBODY, GID)
    (folder / "users.sqlite3").touch(0o600)
    (finding,) = [finding for finding in daemon.findings() if finding.code == "store"]
    assert finding.path == str(folder / "users.sqlite3")
    assert finding.found == "root:root 0600"
    assert finding.wanted == "nobody:nogroup 0600"
    refused(daemon, "store", "An error has occurred")


def test_a_state_that_cannot_be_written(place: Ground) -> None:
    daemon = portico(place, *USER, "--rundir", "/", config=CONFIG)
    daemon.set_up()
    os.chown(place.path / "state", 0, 0)
    refused(daemon, "state", "An error has occurred")


def test_folders_that_are_not_there(place: Ground) -> None:
    daemon = portico(place, *USER, "--rundir", "/")
    daemon.set_up()
    (place.path / "run").rmdir()
    refused(daemon, "pid-folder", "FileNotFoundError")
    shutil.rmtree(place.path / "log")
    refused(daemon, "log-folder", "No such file or directory")


def test_a_run_folder_that_is_not_there(place: Ground) -> None:
    daemon = portico(place, *USER, "--rundir", place.path / "none")
    daemon.set_up()
    refused(daemon, "rundir", "FileNotFoundError")


def test_a_folder_of_files_that_is_not_there_or_closed(place: Ground) -> None:
    daemon = portico(place, *USER, "--rundir", "/")
    daemon.set_up()
    (place.path / "files").chmod(0o700)
    (finding,) = [finding for finding in daemon.findings() if finding.fails and finding.code != "python"]
    assert (finding.option, finding.path, finding.found) == ("static: root", f"{place.path}/files", "root:root 0700")
    refused(daemon, "option", "An error has occurred")


def test_a_pid_file_without_a_number(place: Ground) -> None:
    daemon = portico(place, *USER, "--rundir", "/")
    daemon.set_up()
    daemon.pidfile.write_text("none\n")
    assert daemon.fails() == ["pid-content"]
    done = daemon.start()
    assert done.returncode == 1
    assert "contains non-numeric value" in done.stderr


def test_a_pid_file_that_is_a_link(place: Ground) -> None:
    """Whoever has been the daemon's user could lay one, and root would write where it leads."""
    daemon = portico(place, *USER, "--rundir", "/")
    daemon.set_up()
    daemon.pidfile.symlink_to(place.path / "elsewhere")
    assert daemon.fails() == ["pid-link"]
    refused(daemon, "pid-link", "is a symbolic link")
    assert not (place.path / "elsewhere").exists()


def test_relative_paths_lie_where_twistd_is_started(place: Ground) -> None:
    """They work; that they are not in the run folder is told, and is so."""
    elsewhere = place.folder("elsewhere", NOBODY, GID)
    for name in ("run", "log"):
        place.folder(name, NOBODY, GID)
    daemon = portico(place, *USER, "--rundir", elsewhere)
    daemon.words = [word.removeprefix(f"{place.path}/") if "/d." in word else word for word in daemon.words]
    notes = {(finding.option, finding.path) for finding in daemon.findings() if finding.code == "relative"}
    assert notes == {("--logfile", "log/d.log"), ("--pidfile", "run/d.pid")}
    daemon.set_up()
    assert daemon.fails() == []
    daemon.started()
    daemon.stop()
    assert list(elsewhere.iterdir()) == []


LAZY = """
from twisted.application import service
from twisted.python import log

class Lazy(service.Service):
    def startService(self):
        try:
            import wave
        except ImportError as error:
            log.msg(f"not found: {error}")
        else:
            log.msg("found")

application = service.Application("lazy")
Lazy().setServiceParent(application)
"""


def test_python_that_the_user_cannot_read(place: Ground) -> None:
    """Where it is so on this machine, a TAC file that imports something late does not find it; else all is well."""
    (place.path / "lazy.tac").write_text(LAZY)
    daemon = place.daemon(*USER, "--rundir", "/", "-y", place.path / "lazy.tac")
    daemon.set_up()
    closed = any(finding.code == "python" and finding.fails for finding in daemon.findings())
    daemon.started()
    wait_until(lambda: "found" in daemon.log, lambda: daemon.log)
    daemon.stop()
    assert ("not found: No module named 'wave'" in daemon.log) == closed


# -- jails


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
    daemon = jailed(place, port, "--log-size", 4000, config=CONFIG)
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
