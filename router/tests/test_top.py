"""`portico top`: the screen from statuses, and the terminal around it."""

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from portico.cli import main
from portico.report import ReplicaReport, Report, ServiceReport, WorkerReport
from portico.top import LOOKS, NEW_FOR, History, screen

PLAIN = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def report(accepted: int = 0, **replicas: list[tuple[str, str, int]]) -> Report:
    return Report(
        listeners=["0.0.0.0:8080"],
        counts={"accepted": accepted, "returned": 2},
        held=3,
        waiting=1,
        services={
            name: ServiceReport(target="handoff", replicas=[ReplicaReport(*each) for each in found])
            for name, found in replicas.items()
        },
    )


def test_a_screen() -> None:
    history = History()
    history.add(report(10), 1.0)
    now = report(1510, static=[("a", "ready", 2000), ("b", "draining", 1)], api=[])
    history.add(now, 2.0)
    assert screen(now, history, 100, 30, colour=False).split("\n") == [
        "Portico  listening on 0.0.0.0:8080",
        "",
        "  1500.0 connections/s  █",
        "  accepted 1,510  handed back 2  with services 2,001  held here 3  not decided 1",
        "",
        "SERVICE  TARGET        OPEN  QUEUED  REPLICAS",
        "static   handoff      2,001       0  ● a 2,000  ○ b 1 draining",
        "api      handoff          0       0  none",
    ]


def test_states_of_the_router() -> None:
    now = Report(draining=True, workers=[WorkerReport(0, 1, "up"), WorkerReport(1, 2, "up")])
    first = screen(now, History(), 100, 30, colour=False).split("\n")[0]
    assert first == "Portico  draining, was listening on nothing  2 workers"


def test_rates_are_of_the_last_looks() -> None:
    history = History()
    for second in range(LOOKS + 50):
        history.add(report(second * second), float(second))
    assert len(history.rates) == LOOKS and history.rates[-1] == 2 * (LOOKS + 49) - 1
    history.add(report(0), 1000.0)
    assert history.rates[-1] == 0, "a router that was started again"
    history.add(report(5), 1000.0)
    assert len(history.rates) == LOOKS, "no time has gone"
    curve = screen(report(), history, 60, 30, colour=False).split("\n")[2]
    assert len(curve) <= 60


def test_a_replica_is_new_for_a_while_unless_it_was_there_first() -> None:
    history = History()
    history.add(report(static=[("a", "ready", 0)]), 0.0)
    assert not history.is_new("static", "a")
    for look in range(NEW_FOR + 1):
        history.add(report(static=[("a", "ready", 0), ("b", "ready", 0)]), 1.0 + look)
        assert history.is_new("static", "b") == (look < NEW_FOR)
        assert not history.is_new("static", "a")
    assert "\x1b[1;7;32m● c 0" in _coloured(history)


def _coloured(history: History) -> str:
    now = report(static=[("a", "ready", 0), ("c", "ready", 0)])
    history.add(now, 99.0)
    return screen(now, history, 100, 30)


@pytest.mark.parametrize("width", [1, 7, 20, 43, 80])
def test_no_line_is_longer_than_the_terminal(width: int) -> None:
    history, now = History(), report(9, static=[(f"replica-{n}", "resting", 10**n) for n in range(9)])
    for second in range(200):
        history.add(now, float(second))
    text = screen(now, history, width, 30)
    assert all(len(PLAIN.sub("", line)) <= width for line in text.split("\n"))
    assert text.count("\x1b[0m") == len(re.findall(r"\x1b\[[0-9;]*[1-9]m", text)), "each colour ends"


def test_no_screen_is_higher_than_the_terminal() -> None:
    now = report(0, **{f"service{n}": [("r", "ready", 0)] for n in range(50)})
    lines = screen(now, History(), 80, 20, colour=False).split("\n")
    assert len(lines) <= 20 and lines[-1] == "and 38 more services"
    for height in range(1, 9):
        assert len(screen(now, History(), 80, height, colour=False).split("\n")) <= height


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (100, "● r0 0  ● r1 0  ● r2 0  ● r3 0  ● r4 0"),
        (79, "● r0 0  ● r1 0  ● r2 0  ● r3 0  ● r4 0"),
        (78, "● r0 0  ● r1 0  ● r2 0  and 2 more"),
        (60, "● r0 0  and 4 more"),
    ],
)
def test_replicas_that_have_no_room_are_counted(width: int, shown: str) -> None:
    now = report(0, static=[(f"r{n}", "ready", 0) for n in range(5)])
    assert screen(now, History(), width, 30, colour=False).split("\n")[-1].endswith(f"  {shown}")


def test_names_do_not_move_the_cursor() -> None:
    now = report(0, **{"a\x1b[2J": [("\x1b[H", "\r", 0)]})
    assert "\x1b" not in screen(now, History(), 80, 20, colour=False)


def test_without_a_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with open(os.devnull) as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        with pytest.raises(SystemExit) as caught:
            main(["top", "--admin", "unix:/nonexistent"])
    assert caught.value.code == 2 and "needs a terminal" in capsys.readouterr().err


def _set_size(terminal: int, lines: int, columns: int) -> None:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))


def in_terminal(arguments: list[str], until: bytes, act: Callable[[int, int], object]) -> tuple[bytes, int]:
    """What the program writes to a terminal of its own, and its exit status.

    `act` is called with its process and the terminal when `until` is there.
    """
    pid, terminal = pty.fork()
    if pid == 0:
        for number in (signal.SIGINT, signal.SIGHUP):  # ignored where the suite runs in the background, and execv keeps that
            signal.signal(number, signal.SIG_DFL)
        os.execv(sys.executable, [sys.executable, "-m", "portico", "top", *arguments])
    _set_size(terminal, 24, 80)
    got, sent, end = b"", False, time.monotonic() + 60
    while time.monotonic() < end:
        select.select([terminal], [], [], 60)
        try:
            data = os.read(terminal, 65536)
        except OSError:  # it has ended
            break
        got += data
        if until in got and not sent:
            sent = True
            act(pid, terminal)
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    return got, os.waitstatus_to_exitcode(status)


@pytest.mark.parametrize("keys", [b"q", b"\x03"])
def test_in_a_terminal(tmp_path: Path, keys: bytes) -> None:
    nobody = ["--admin", f"unix:{tmp_path}/none", "--every", "0.05"]
    got, status = in_terminal(nobody, b"q ends", lambda _, terminal: os.write(terminal, keys))
    assert status == 0
    assert got.startswith(b"\x1b[?1049h\x1b[?25l") and got.endswith(b"\x1b[?25h\x1b[?1049l")
    assert b"no answer from" in got


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_the_terminal_as_it_was(tmp_path: Path, number: int) -> None:
    nobody = ["--admin", f"unix:{tmp_path}/none", "--every", "0.05"]
    got, status = in_terminal(nobody, b"q ends", lambda pid, _: os.kill(pid, number))
    assert got.endswith(b"\x1b[?25h\x1b[?1049l") and status == -number


def test_it_is_stopped_and_goes_on(tmp_path: Path) -> None:
    def act(pid: int, terminal: int) -> None:
        os.kill(pid, signal.SIGTSTP)
        _, status = os.waitpid(pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        os.kill(pid, signal.SIGCONT)
        os.write(terminal, b"q")

    got, status = in_terminal(["--admin", f"unix:{tmp_path}/none", "--every", "0.05"], b"q ends", act)
    enter, leave = b"\x1b[?1049h\x1b[?25l", b"\x1b[?25h\x1b[?1049l"
    assert status == 0 and got.count(enter) == got.count(leave) == 2
    assert got.index(leave) < got.rindex(enter) < got.rindex(leave)


def test_looks_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    from portico import topscreen

    terminal, other = pty.openpty()
    _set_size(other, 0, 0)
    body = json.dumps({"listeners": ["127.0.0.1:1"], "counts": {"accepted": 7}})
    looks: list[str] = []

    def look(admin: str, path: str) -> tuple[int, bytes]:
        looks.append(path)
        if len(looks) == 3:
            os.write(terminal, b"xq")  # not alone: no answer
        if len(looks) == 4:
            os.write(terminal, b"q")
        return (200, b"[]" if len(looks) == 2 else body.encode())

    with open(other, "w", closefd=False) as out, open(other, closefd=False) as keys:
        monkeypatch.setattr(sys, "stdin", keys)
        monkeypatch.setattr(sys, "stdout", out)
        assert topscreen.top("somewhere", 0.01, look) == 0
    monkeypatch.undo()
    got = os.read(terminal, 65536)
    assert looks[0] == "/status" and 4 <= len(looks) < 1000
    assert b"listening on 127.0.0.1:1" in got and b"there is no router" in got
    os.close(terminal)
    os.close(other)
