"""Signals at moments, and with logs, where they would end a daemon in bad order."""

import signal
import subprocess

import pytest

from .support.daemon import GID, NOBODY, Ground, wait_until
from .support.one_process import BIN
from .support.raw import RawConnection
from .support.site import free_port, wait_for_listener

pytestmark = pytest.mark.timeout(300)
"""Seconds; many processes are started, which takes its time where there is more to do."""

CONFIG = """
listeners = [{{address = "127.0.0.1:{port}"}}]
routes = [{{path = "/none", service = "web"}}]
services.web = {{target = "tcp", address = "127.0.0.1:9"}}
"""
USER = ("--uid", NOBODY, "--gid", GID, "--rundir", "/")


EAGER = """
import os, signal
from twisted.internet.protocol import ServerFactory

def make_factory(settings, reactor):
    os.kill(os.getpid(), signal.SIGTERM)
    return ServerFactory()
"""


def test_a_signal_before_the_reactor_runs_leaves_no_pid_file(place: Ground) -> None:
    """It comes from within the start, by when the PID file is there."""
    (place.path / "eager.py").write_text(EAGER)
    service = ("portico-service", "--run", place.path / "sockets", "--state", place.path / "state", "--what")
    daemon = place.daemon(*USER, *service, "eager:make_factory", "web")
    daemon.set_up()
    daemon.start()
    wait_until(lambda: "Server Shut Down." in daemon.log, lambda: daemon.log)
    wait_until(lambda: not daemon.pidfile.exists())
    assert "SIGTERM: draining" in daemon.log


def test_sigusr1_with_the_log_on_standard_output_ends_nothing(place: Ground) -> None:
    port = free_port()
    file = place.path / "portico.toml"
    file.write_text(CONFIG.format(port=port))
    words = [str(BIN / "twistd"), "--nodaemon", "--pidfile=", "portico-router", "--config", str(file)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        try:
            wait_for_listener("127.0.0.1", port)
            process.send_signal(signal.SIGUSR1)
            assert any("nothing to rotate" in line for line in process.stdout)
            with RawConnection("127.0.0.1", port) as connection:
                assert connection.get("/").status == 404
        finally:
            process.terminate()
        process.communicate(timeout=30)
        assert process.returncode == 0
