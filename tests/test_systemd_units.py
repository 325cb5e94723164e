"""The units in deploy/systemd: verified, scored, and what they promise of socket activation tried without a systemd."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .support.one_process import BIN
from .support.programs import program
from .support.raw import RawConnection
from .support.tree import ROOT
from .systemd.page import scores

pytestmark = pytest.mark.timeout(300)
"""Seconds; many processes are started, which takes its time where there is more to do."""

UNITS = ROOT / "deploy/systemd"
CONFIG = """
listeners = [{{address = "127.0.0.1:{port}"}}]
routes = [{{path = "/", service = "web"}}]
services.web = {{target = "handoff", folder = "{folder}/web"}}
limits = {{queue_timeout = 0.1, drain_time = 1.0}}
"""
PASS = """
import os, sys
if int(sys.argv[1]) != 3:
    os.dup2(int(sys.argv[1]), 3)
os.set_inheritable(3, True)
os.execve(sys.argv[2], sys.argv[2:], {**os.environ, "LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"})
"""
"""What systemd does before it executes a program with a socket."""


@pytest.fixture
def units(tmp_path: Path) -> list[str]:
    """Copies whose program is there."""
    for path in UNITS.iterdir():
        if path.suffix in (".service", ".socket"):
            (tmp_path / path.name).write_text(path.read_text().replace("/opt/portico/bin/twistd", "/bin/true"))
    return sorted(str(path) for path in tmp_path.iterdir())


def test_systemd_accepts_the_units(units: list[str]) -> None:
    command = [program("systemd-analyze"), "verify", "--man=no", *units]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_page_has_the_scores(units: list[str]) -> None:
    analyze = program("systemd-analyze")
    told = subprocess.run([analyze, "--version"], capture_output=True, text=True, timeout=60, check=True).stdout
    documented = scores()
    assert sorted(documented) == sorted(Path(unit).name for unit in units if unit.endswith(".service"))
    for unit in units:
        if not unit.endswith(".service"):
            continue
        command = [analyze, "security", "--offline=true", unit]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        found = re.search(r"Overall exposure level for (\S+): (\d+\.\d)", done.stdout)
        assert found is not None, done.stdout + done.stderr
        name, score = found.groups()
        if " 252 " in told:
            assert documented[name] == score
        assert float(score) < 2.0, name


def test_each_service_of_the_configuration_has_unit_user_and_folder() -> None:
    names = re.findall(r"^\[services\.(\w+)\]", (UNITS / "portico.toml").read_text(), re.MULTILINE)
    users, folders = ((UNITS / folder / "portico.conf").read_text() for folder in ("sysusers.d", "tmpfiles.d"))
    assert names
    for name in [*names, "authsvc", "router"]:
        unit = (UNITS / f"portico-{name}.service").read_text()
        assert f"User=portico-{name}\n" in unit
        assert f"u portico-{name} " in users
        assert re.search(rf"^d /run/portico/{name} +\d+ portico-{name} ", folders, re.MULTILINE)


def told_by_logrotate(folder: Path, user: str) -> None:
    """Its script, with the PID files in another folder and another user's name; a failure would be reported each day."""
    text = (ROOT / "deploy/logrotate.d/portico").read_text()
    script = text.partition("postrotate\n")[2].partition("endscript")[0]
    mine = script.replace("/run/portico-daemon", str(folder)).replace("--uid portico ", f"--uid {user} ")
    assert str(folder) in mine and f"--uid {user} " in mine
    assert subprocess.run(["sh", "-c", mine], timeout=60, check=False).returncode == 0


def test_logrotate_tells_the_daemons_that_run(tmp_path: Path) -> None:
    program("pkill")
    user = str(os.geteuid())
    told_by_logrotate(tmp_path, user)
    (tmp_path / "gone.pid").write_text("")
    with subprocess.Popen(["sleep", "60"]) as daemon:
        (tmp_path / "x.pid").write_text(str(daemon.pid))
        told_by_logrotate(tmp_path, user)
        assert daemon.wait(60) == -signal.SIGUSR1


def test_logrotate_does_not_believe_a_daemons_pid_file_of_others(tmp_path: Path) -> None:
    """The daemon's user may write any number there, and root would send the signal, which ends most programs."""
    program("pkill")
    with subprocess.Popen(["sleep", "60"]) as other:
        (tmp_path / "x.pid").write_text(str(other.pid))
        told_by_logrotate(tmp_path, "65534" if os.geteuid() != 65534 else "1")
        with pytest.raises(subprocess.TimeoutExpired):
            other.wait(0.2)
        other.kill()


def test_the_users_of_the_page_are_made() -> None:
    """Those that its command lines name."""
    users = (UNITS / "sysusers.d/portico.conf").read_text()
    named = set(re.findall(r"--uid ([a-z][\w-]*)", (ROOT / "docs/daemon.md").read_text()))
    assert "portico" in named
    for name in named:
        assert re.search(rf"^u {name} +-:portico ", users, re.MULTILINE), name


def test_the_configuration_is_sound() -> None:
    done = subprocess.run(
        [BIN / "portico", "check", UNITS / "portico.toml"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_configuration_for_one_process_is_sound() -> None:
    done = subprocess.run(
        [BIN / "portico", "check", ROOT / "daemon/portico.toml"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.settimeout(60)
        yield sock


def test_a_port_that_is_passed_outlives_the_router(tmp_path: Path, systemd: socket.socket) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=16) as held:
        port = held.getsockname()[1]
        (tmp_path / "portico.toml").write_text(CONFIG.format(port=port, folder=tmp_path))
        words: list[str | Path] = [
            "--nodaemon",
            "--pidfile=",
            "portico-router",
            "--config",
            tmp_path / "portico.toml",
            "--log",
            "json",
        ]
        environment = {**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "2000000"}
        for _ in range(2):
            router = subprocess.Popen(
                [sys.executable, "-c", PASS, str(held.fileno()), BIN / "twistd", *words], pass_fds=[held.fileno()],
                env=environment, cwd=tmp_path, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            )  # fmt: skip
            try:
                assert systemd.recv(1000).startswith(b"READY=1\n")
                assert systemd.recv(1000) == b"WATCHDOG=1"
                assert systemd.recv(1000) == b"WATCHDOG=1"
                with RawConnection("127.0.0.1", port, 20) as connection:
                    assert connection.get("/").status == 503  # there is no replica
                router.send_signal(signal.SIGTERM)
                while (said := systemd.recv(1000)) == b"WATCHDOG=1":
                    pass
                assert said.startswith(b"STOPPING=1\n")
                assert router.wait(30) == 0
            finally:
                router.kill()
                output = router.communicate()[0]
            assert b"Traceback" not in output, output
            with socket.create_connection(("127.0.0.1", port), 5):  # nobody accepts, and nobody is refused
                pass
