"""`portico check` and `portico run`: what is wrong is said in one line, and what is right is served."""

import os
import signal
import socket
import subprocess
from pathlib import Path

import pytest
from portico.cli import BAD_USAGE

from .support.commandline import CONFIG, PORTICO, call
from .support.wires import parse_response


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "portico.toml"
    path.write_text(CONFIG % 0)
    return path


def test_check_a_good_file(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("check", str(file)) == 0
    assert capsys.readouterr().out == f"{file}: 1 route to 1 service\n"


def test_check_a_bad_file(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(CONFIG.replace("tcp", "tpc") % 0)
    assert call("check", str(file)) == BAD_USAGE
    said = capsys.readouterr()
    assert said.err == f"portico: {file}: services.web.target: expected one of handoff, tcp, found 'tpc'\n"
    assert said.out == ""


def test_check_a_file_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("check", str(tmp_path / "none.toml")) == BAD_USAGE
    assert capsys.readouterr().err == f"portico: {tmp_path / 'none.toml'}: No such file or directory\n"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run((*PORTICO, "run", *arguments), capture_output=True, text=True, timeout=60, check=False)


def refused(*arguments: str) -> str:
    """What `portico run` says when it does not start; one line, nothing else."""
    ended = run(*arguments)
    assert ended.returncode == BAD_USAGE, ended.stderr
    assert ended.stderr.startswith("portico: ")
    assert ended.stderr.count("\n") == 1, ended.stderr
    return ended.stderr.removeprefix("portico: ").rstrip("\n")


def test_run_with_a_bad_file(file: Path) -> None:
    file.write_text("listeners = 3")
    assert refused(str(file)).startswith(f"{file}: listeners: expected `array`")


@pytest.mark.parametrize(("option", "or_else"), [("--listen", " or [host]:port"), ("--admin", ", [host]:port or unix:PATH")])
def test_run_with_a_bad_address(file: Path, option: str, or_else: str) -> None:
    assert refused(str(file), option, "nowhere") == f"{option}: expected host:port{or_else}, found 'nowhere'"


@pytest.mark.parametrize("option", ["--listen", "--admin"])
def test_run_with_a_port_in_use(file: Path, option: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = refused(str(file), option, f"127.0.0.1:{port}")
    assert f"127.0.0.1:{port}" in said
    assert "Address already in use" in said


def test_workers_each_with_services_of_its_own_make_no_sense(file: Path) -> None:
    assert refused(str(file), "--workers", "2", "--in-process").startswith("--workers: not with --in-process")


@pytest.mark.parametrize("number", ["0", "65", "-1", "two"])
def test_workers_are_some(file: Path, number: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("run", str(file), f"--workers={number}") == BAD_USAGE
    assert f"argument --workers: invalid number from 1 to 64 value: '{number}'" in capsys.readouterr().err


def test_run_with_a_keeper_that_is_not_there(file: Path, tmp_path: Path) -> None:
    nowhere = str(tmp_path / "keeper")
    assert refused(str(file), "--keeper", nowhere) == f"no keeper answers at {nowhere}: No such file or directory"


def test_run_in_process_with_a_service_that_is_not_installed(file: Path, tmp_path: Path) -> None:
    file.write_text((CONFIG % 0).replace('"tcp", address = "127.0.0.1:9"', '"handoff"'))
    said = refused(str(file), "--in-process", "--state", str(tmp_path / "var"))
    assert "no service 'web' is installed" in said


def test_run_in_process_with_a_service_that_takes_no_connections(file: Path, tmp_path: Path) -> None:
    text = 'in_process = {also = ["authsvc"]}' + (CONFIG % 0).replace('"tcp", address = "127.0.0.1:9"', '"handoff"').replace(
        "web", "authsvc"
    )
    file.write_text(text)
    assert "authsvc: has no make_factory" in refused(str(file), "--in-process", "--state", str(tmp_path / "var"))


def test_run_in_process_with_an_option_that_a_service_without_a_route_does_not_have(file: Path, tmp_path: Path) -> None:
    options = '[in_process]\nalso = ["authsvc"]\noptions = {authsvc = {colour = "red"}}\n'
    file.write_text(CONFIG % 0 + options)
    said = refused(str(file), "--in-process", "--state", str(tmp_path / "var"))
    assert "authsvc: unknown option 'colour'" in said


def test_run_serves_and_ends_in_good_order(file: Path) -> None:
    child = subprocess.Popen(
        (*PORTICO, "run", str(file)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        assert child.stdout is not None
        lines = iter(child.stdout.readline, "")
        port = next(int(line.split('"port":')[1].split(",")[0].split("}")[0]) for line in lines if '"listening on' in line)
        with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            answer = b""
            while piece := client.recv(65_536):
                answer += piece
        assert parse_response(answer)[0].status == 502
        child.send_signal(signal.SIGTERM)
        rest = child.stdout.read()
        assert child.wait(30) == 0
        assert '"status":502' in rest
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()
        if child.stdout is not None:
            child.stdout.close()
