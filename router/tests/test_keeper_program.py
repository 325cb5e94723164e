"""The keeper's own address, and the keeper as a program, in a Python without anything installed."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from portico import keeper
from portico.keeper import MESSAGE

from .support.keepers import ANY, Asker, Make, Stage

FOLDER = str(Path(keeper.__file__).parent)

# -- its own address


def test_a_dead_keeper_s_socket_is_replaced(make_stage: Make, folder: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as dead:
        dead.bind(str(folder / "keeper"))
    Asker(make_stage()).borrow()


def test_a_living_keeper_s_is_not(stage: Stage, make_stage: Make) -> None:
    with pytest.raises(OSError, match="Address already in use"):
        make_stage()
    Asker(stage).borrow()


def test_another_file_is_not(make_stage: Make, folder: Path) -> None:
    (folder / "keeper").write_text("mine")
    with pytest.raises(OSError, match="Address already in use"):
        make_stage()
    assert (folder / "keeper").read_text() == "mine"


def test_the_mode_of_its_file(make_stage: Make, folder: Path) -> None:
    assert Path(make_stage().path).stat().st_mode & 0o777 == 0o600
    others = make_stage(str(folder / "others"), uids=frozenset((20_000,)))
    assert Path(others.path).stat().st_mode & 0o777 == 0o666


# -- as a program, in a Python without anything installed


def test_it_runs_by_itself_and_ends_at_once() -> None:
    name = f"@portico-test-{os.getpid()}"
    command = [sys.executable, "-ISs", FOLDER, name, "--keep", "5", "--uid", str(os.getuid())]
    with tempfile.TemporaryFile() as errors, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors) as child:
        assert child.stdout is not None
        try:
            assert f"routers are expected at {name}".encode() in child.stdout.readline()
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as sock:
                sock.settimeout(20)
                sock.connect(f"\0{name[1:]}")
                sock.send(f"listen {ANY}".encode())
                answer, descriptors, _, _ = socket.recv_fds(sock, MESSAGE, 1)
                assert answer == b"ok"
                os.close(descriptors[0])
            child.send_signal(signal.SIGTERM)
            assert child.wait(20) == 0
        finally:
            child.kill()
        errors.seek(0)
        assert errors.read() == b""


@pytest.mark.parametrize("seconds", ["-1", "nan", "inf", "long"])
def test_a_time_that_is_none(seconds: str) -> None:
    command = [sys.executable, "-ISs", FOLDER, "@never-made", f"--keep={seconds}"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 2
    assert "argument --keep: invalid" in ended.stderr


def test_a_program_that_cannot_start_says_why(folder: Path) -> None:
    command = [sys.executable, "-ISs", FOLDER, str(folder / "none" / "keeper")]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 1
    assert ended.stderr == f"keeper: {folder}/none/keeper: No such file or directory\n"
