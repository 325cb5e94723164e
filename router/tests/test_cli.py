"""The command line: exit status and words, against a small server, and as a process of its own."""

import http.server
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from portico.cli import BAD_USAGE, main

from .support.wires import parse_response

CONFIG = """
listeners = [{address = "127.0.0.1:%d"}]
routes = [{prefix = "/", service = "web"}]
services.web = {target = "tcp", address = "127.0.0.1:9"}
"""
PORTICO = (sys.executable, "-c", "from portico.cli import main; main()")


def call(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert isinstance(ended.value.code, int)
    return ended.value.code


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "portico.toml"
    path.write_text(CONFIG % 0)
    return path


class Pages(http.server.BaseHTTPRequestHandler):
    """Answers from the server's table; a path that is not in it is 503."""

    def do_GET(self) -> None:
        status, body = self.server.pages.get(self.path, (503, b"draining\n"))  # type: ignore[attr-defined]
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.posted.append((self.headers["Content-Type"], body))  # type: ignore[attr-defined]
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture
def server() -> Iterator[http.server.HTTPServer]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    server.pages, server.posted = {}, []  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def at(server: http.server.HTTPServer) -> str:
    return f"127.0.0.1:{server.server_address[1]}"


# -- check


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


@pytest.mark.parametrize("arguments", [(), ("walk",), ("check",), ("run", "x", "--fast")])
def test_wrong_arguments(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert call(*arguments) == BAD_USAGE
    assert "usage: portico" in capsys.readouterr().err


# -- status, health


REPORT = b"""{"listeners":["0.0.0.0:80"],"draining":false,"waiting":0,"tls_sessions":0,"counts":{"accepted":7},"routes":[],
"services":{"web":{"target":"tcp","address":"app:80","queued":2,"replicas":[{"replica":"10.0.0.1:80","open":5}]}}}"""


def test_status_prints_a_table(server: http.server.HTTPServer, capsys: pytest.CaptureFixture[str]) -> None:
    server.pages["/status"] = (200, REPORT)  # type: ignore[attr-defined]
    assert call("status", "--admin", at(server)) == 0
    said = capsys.readouterr().out
    assert said.startswith("listening on 0.0.0.0:80\naccepted 7, ")
    assert said.splitlines()[-1].split() == ["web", "tcp", "app:80", "10.0.0.1:80", "ready", "5", "-", "2"]


def test_status_of_something_else(server: http.server.HTTPServer, capsys: pytest.CaptureFixture[str]) -> None:
    for body in (b"hello\n", b'{"services":3}'):
        server.pages["/status"] = (200, body)  # type: ignore[attr-defined]
        assert call("status", "--admin", at(server)) == 1
        assert capsys.readouterr().out.startswith(f"{at(server)} is no router: ")


def test_status_again_and_again_until_ctrl_c(
    server: http.server.HTTPServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        server.pages["/status"] = (200, REPORT)  # type: ignore[attr-defined]
        if len(slept) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", sleep)
    assert call("status", "--admin", at(server), "--watch", "0.5") == 0
    assert slept == [0.5] * 3
    said = capsys.readouterr().out
    assert said.startswith("draining\n\n")  # the router was not well at first
    assert said.count("listening on") == 2
    assert "\x1b" not in said  # not a terminal


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf", "soon"])
def test_watch_wants_a_number_of_seconds(seconds: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("status", f"--watch={seconds}") == BAD_USAGE
    assert f"argument --watch: invalid number of seconds value: '{seconds}'" in capsys.readouterr().err


def test_status_prints_the_json(server: http.server.HTTPServer, capsys: pytest.CaptureFixture[str]) -> None:
    server.pages["/status"] = (200, b'{"services":{}}\n')  # type: ignore[attr-defined]
    assert call("status", "--json", "--admin", at(server)) == 0
    assert capsys.readouterr().out == '{"services":{}}\n'


# -- drain, undrain


@pytest.mark.parametrize("command", ["drain", "undrain"])
def test_drain(server: http.server.HTTPServer, capsys: pytest.CaptureFixture[str], command: str) -> None:
    server.pages[f"/{command}"] = (200, b"{}\n")  # type: ignore[attr-defined]
    assert call(command, "app", "10.0.0.1:80", "--admin", at(server)) == 0
    assert capsys.readouterr() == ("", "")
    assert server.posted == [("application/json", b'{"service":"app","replica":"10.0.0.1:80"}')]  # type: ignore[attr-defined]


@pytest.mark.parametrize("command", ["drain", "undrain"])
def test_drain_that_cannot_be_done(server: http.server.HTTPServer, capsys: pytest.CaptureFixture[str], command: str) -> None:
    server.pages[f"/{command}"] = (404, b"app has no replica x\n")  # type: ignore[attr-defined]
    assert call(command, "app", "x", "--admin", at(server)) == 1
    assert capsys.readouterr() == ("", "portico: app has no replica x\n")


@pytest.mark.parametrize("arguments", [("drain",), ("drain", "app"), ("undrain", "app", "x", "y")])
def test_drain_wants_a_service_and_a_replica(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert call(*arguments) == BAD_USAGE
    assert "usage: portico" in capsys.readouterr().err


def test_health(server: http.server.HTTPServer, capsys: pytest.CaptureFixture[str]) -> None:
    server.pages["/healthz"] = (200, b"alive\n")  # type: ignore[attr-defined]
    assert call("health", "--admin", at(server)) == 0
    assert capsys.readouterr() == ("", "")


def test_the_environment_says_whom_to_ask(
    server: http.server.HTTPServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    server.pages["/healthz"] = (200, b"alive\n")  # type: ignore[attr-defined]
    monkeypatch.setenv("PORTICO_ADMIN", at(server))
    assert call("health") == 0
    monkeypatch.setenv("PORTICO_ADMIN", "unix:/nowhere/admin")
    assert call("health") == 1
    assert capsys.readouterr().err.startswith("no answer from unix:/nowhere/admin: ")
    assert call("health", "--admin", at(server)) == 0


def test_a_router_that_is_not_well(server: http.server.HTTPServer, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("health", "--admin", at(server)) == 1
    assert "draining" in capsys.readouterr().err
    assert call("status", "--admin", at(server)) == 1


def test_a_router_that_is_not_there(server: http.server.HTTPServer, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        nobody = f"127.0.0.1:{sock.getsockname()[1]}"
    assert call("health", "--admin", nobody) == 1
    assert capsys.readouterr().err.startswith(f"no answer from {nobody}: ")
    assert call("status", "--admin", nobody) == 1


def test_what_does_not_speak_http(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()

        def answer() -> None:
            client, _ = listener.accept()
            with client:
                client.recv(1_000)
                client.sendall(b"SSH-2.0-x\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        where = f"127.0.0.1:{listener.getsockname()[1]}"
        assert call("health", "--admin", where) == 1
        thread.join(10)
    assert f"no answer from {where}" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["health", "status"])
def test_a_bad_operators_address(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(command, "--admin", "here") == BAD_USAGE
    expected = "expected host:port, [host]:port or unix:PATH, found 'here'"
    assert capsys.readouterr().err == f"portico: --admin: {expected}\n"


# -- run, as a process


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
