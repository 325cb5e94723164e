"""What goes wrong at the start: daemon-check says it beforehand, and then it happens."""

import os
import shutil
import socket

import pytest

from .support.daemon import GID, NOBODY, Ground, free_uid, wait_until
from .support.raw import RawConnection
from .support.refusals import CONFIG, LIGHT, USER, portico, refused
from .support.site import free_port

pytestmark = pytest.mark.timeout(300)
"""Seconds; many processes are started, which takes its time where there is more to do."""


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
