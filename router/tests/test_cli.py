"""The command line: exit status and words, against a small server."""

import http.server
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from portico.cli import BAD_USAGE

from .support.commandline import call


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
