"""SIGHUP while the router starts: it neither ends it nor is it lost."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from portico.hangup import Hangup

CONFIG = """
listeners = [{address = "127.0.0.1:0"}]
routes = [{prefix = "/", service = "web"}]
services.web = {target = "tcp", address = "127.0.0.1:1"}
"""
STARTS = """
import os, signal
from portico import cli, main
from portico.config import load as real

def load(file):
    config = real(file)
    if not os.path.exists("{mark}"):
        open("{mark}", "w").close()
        os.kill(os.getpid(), signal.SIGHUP)  # between the reading of the file and the start of the reactor
    else:  # read again
        main.log.info("read again")
        os.kill(os.getpid(), signal.SIGTERM)
    return config

cli.load = load
cli.main()
"""


@pytest.fixture
def hangup() -> Iterator[Hangup]:
    before = signal.getsignal(signal.SIGHUP)
    yield Hangup()
    signal.signal(signal.SIGHUP, before)


def test_what_has_come_is_kept_for_whoever_acts_on_it(hangup: Hangup) -> None:
    calls: list[str] = []
    signal.raise_signal(signal.SIGHUP)
    signal.raise_signal(signal.SIGHUP)
    hangup.act(lambda: calls.append("first"))
    assert calls == ["first"]  # once, as the file is the same for both
    signal.raise_signal(signal.SIGHUP)
    assert calls == ["first"] * 2
    hangup.act(lambda: calls.append("second"))
    assert calls == ["first"] * 2
    signal.raise_signal(signal.SIGHUP)
    assert calls == ["first", "first", "second"]


def test_without_a_signal_nothing_is_called(hangup: Hangup) -> None:
    calls: list[str] = []
    hangup.act(lambda: calls.append("first"))
    assert not calls


def test_a_signal_before_the_reactor_runs_reads_the_file_again(tmp_path: Path) -> None:
    file = tmp_path / "portico.toml"
    file.write_text(CONFIG)
    child = subprocess.run(
        (sys.executable, "-c", STARTS.replace("{mark}", str(tmp_path / "mark")), "run", str(file)),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert child.returncode == 0, child.stderr
    assert "listening on" in child.stdout
    assert "the configuration has been read again" in child.stdout
