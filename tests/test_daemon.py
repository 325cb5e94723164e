"""Portico as a daemon: twistd started as root, a low port, a user of its own."""

import contextlib
import http.client
import os
import signal
import socket
import stat
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from .support.daemon import GID, NOBODY, Daemon, Ground, low_port, wait_until
from .support.raw import RawConnection
from .support.template import template
from .support.tree import ROOT

pytestmark = pytest.mark.timeout(300)
"""Seconds; many processes are started, which takes its time where there is more to do."""

CONFIG = template("static", "uploads", "autobahn")
CONFIG += """
admin.address = "unix:{folder}/run/admin"
services.static = {{target = "handoff", options = {{root = "{folder}/files", pages = "{folder}/pages"}}}}
services.uploads = {{target = "handoff", options = {{writes = "anyone"}}}}
services.autobahn = {{target = "handoff"}}
in_process.also = ["authsvc"]
limits.drain_time = 3.0
"""
LIGHT = """
listeners = [{{address = "127.0.0.1:{port}"}}]
routes = [{{path = "/", service = "static"}}, {{prefix = "/static/", service = "static"}}]
services.static = {{target = "handoff", options = {{root = "{folder}/files", pages = "{folder}/pages"}}}}
"""
USER = ("--uid", NOBODY, "--gid", GID, "--umask", "027", "--rundir", "/")


def portico(place: Ground, port: int, *options: object, config: str = CONFIG) -> Daemon:
    """All in one process, with its folders made by daemon-setup."""
    file = place.path / "portico.toml"
    file.write_text(config.format(port=port, folder=place.path))
    state = place.path / "state"
    daemon = place.daemon(*USER, "portico", "--config", file, "--state", state, *options)
    assert daemon.set_up()
    return daemon


def get(port: int, path: str) -> bytes:
    with RawConnection("127.0.0.1", port, 10) as connection:
        answer = connection.get(path, Connection="close")
        assert answer.status == 200, answer
        return bytes(answer.body)


def test_a_low_port_no_root_a_log_that_rotates_and_a_pid_file_that_goes(place: Ground) -> None:
    port = low_port()
    daemon = portico(place, port, "--log-size", "3000", "--log-keep", "2")
    assert daemon.fails() == []
    daemon.started()
    assert get(port, "/static/a.txt") == b"a file\n"
    assert daemon.users() == {str(NOBODY)}
    put = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    put.request("PUT", "/uploads/x", b"data")
    assert put.getresponse().status == 201
    put.close()
    assert daemon.users() == {str(NOBODY)}  # with the threads that write uploads

    names = [f"{daemon.logfile}{suffix}" for suffix in ("", ".1", ".2")]
    for _ in range(200):
        if all(Path(name).exists() for name in names):
            break
        get(port, "/static/a.txt")
    second = daemon.run("twistd", *daemon.words)
    assert second.returncode == 1
    assert f"Another twistd server is running, PID {daemon.pid}" in second.stderr
    assert daemon.fails() == ["running", "port"]

    daemon.stop()
    assert not daemon.pidfile.exists()
    for name in names:
        found = os.stat(name)
        assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (NOBODY, GID, 0o640), name
    assert all(3000 <= os.stat(name).st_size < 4500 for name in names[1:])

    assert daemon.fails() == []
    daemon.started()  # and again, with what the first one has left
    assert get(port, "/static/a.txt") == b"a file\n"
    daemon.stop()


def test_sigterm_drains_and_the_pid_file_goes_last(place: Ground) -> None:
    port = low_port()
    daemon = portico(place, port, "--log", "json").started()
    idle = RawConnection("127.0.0.1", port, 20)
    assert idle.get("/static/a.txt").body == b"a file\n"
    under_way = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    under_way.putrequest("PUT", "/uploads/slow")
    under_way.putheader("Content-Length", "10")
    under_way.endheaders(b"01234")
    with connect(f"ws://127.0.0.1:{port}/ws/autobahn/echo", open_timeout=10) as websocket:
        websocket.send("hello")
        assert websocket.recv(10) == "hello"
        daemon.signal(signal.SIGTERM)
        assert idle.ends()  # an idle connection is closed at once
        assert daemon.pidfile.exists()
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.1", port), 5)
        under_way.send(b"56789")
        answer = under_way.getresponse()
        assert (answer.status, answer.read()[:0]) == (201, b"")
        with pytest.raises(ConnectionClosed) as closed:
            websocket.recv(20)
        assert closed.value.rcvd is not None and closed.value.rcvd.code == 1001
    wait_until(lambda: not daemon.runs)
    assert not daemon.pidfile.exists()
    assert '"message":"Server Shut Down."' in daemon.log
    under_way.close()
    idle.socket.close()


def test_a_second_signal_ends_at_once_and_leaves_no_pid_file(place: Ground) -> None:
    port = low_port()
    daemon = portico(place, port).started()
    with socket.create_connection(("127.0.0.1", port), 20) as under_way:
        under_way.sendall(b"PUT /uploads/never HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n")
        assert under_way.recv(12) == b"HTTP/1.1 100", "it is the service's, and waits for its body"
        daemon.signal(signal.SIGTERM)
        wait_until(lambda: "draining" in daemon.log, lambda: daemon.log)
        daemon.signal(signal.SIGTERM)
        wait_until(lambda: not daemon.runs)
        assert not daemon.pidfile.exists()
        assert "ending at once" in daemon.log


def test_it_serves_on_when_the_log_cannot_be_written(place: Ground) -> None:
    port = low_port()
    daemon = portico(place, port, config=LIGHT)
    words = ["/dev/full" if word == str(daemon.logfile) else word for word in daemon.words]
    daemon.words = words
    daemon.started()
    for _ in range(3):
        assert get(port, "/static/a.txt") == b"a file\n"
    daemon.stop()
    assert not daemon.pidfile.exists()


def test_sighup_reads_the_configuration_and_sigusr1_opens_the_log_anew(place: Ground) -> None:
    port = low_port()
    daemon = portico(place, port, "--log-reopen", config=LIGHT).started()
    file = place.path / "portico.toml"
    file.write_text(file.read_text().replace("/static/", "/other/"))
    daemon.signal(signal.SIGHUP)
    wait_until(lambda: "has been read again" in daemon.log, lambda: daemon.log)
    with RawConnection("127.0.0.1", port, 10) as connection:
        assert connection.get("/static/a.txt", Connection="close").status == 404
    moved = daemon.logfile.rename(f"{daemon.logfile}-moved")
    daemon.logfile.touch()  # as logrotate's `create` does
    os.chown(daemon.logfile, NOBODY, GID)
    daemon.signal(signal.SIGUSR1)
    wait_until(lambda: logs_to(daemon) == daemon.logfile.name, lambda: moved.read_text())
    daemon.signal(signal.SIGHUP)
    wait_until(lambda: "has been read again" in daemon.logfile.read_text(), lambda: moved.read_text())
    daemon.stop()


def logs_to(daemon: Daemon) -> str:
    """The name of the file that it has open for its log; empty between closing one and opening the next."""
    for each in Path(f"/proc/{daemon.pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # it was closed meanwhile
            if os.readlink(each).startswith(str(daemon.logfile)):
                return Path(os.readlink(each)).name
    return ""


def test_the_tac_file_does_the_same(place: Ground) -> None:
    port = low_port()
    file = place.path / "portico.toml"
    file.write_text(LIGHT.format(port=port, folder=place.path))
    daemon = place.daemon(*USER, "-y", ROOT / "daemon/portico.tac")
    daemon.more["PORTICO_DAEMON"] = f"--config {file} --state {place.folder('state', NOBODY, GID)} --log json"
    for name in ("run", "log"):
        place.folder(name, NOBODY, GID)
    daemon.started()
    assert get(port, "/static/a.txt") == b"a file\n"
    assert daemon.users() == {str(NOBODY)}
    assert daemon.logfile.stat().st_uid == NOBODY
    assert all(line.startswith("{") for line in daemon.log.splitlines())
    daemon.stop()
    assert not daemon.pidfile.exists()
