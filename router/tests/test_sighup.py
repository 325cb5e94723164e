"""SIGHUP, to a router in a process of its own."""

import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import pytest

STATIC = """
listeners = [{{address = "127.0.0.1:{port}"}}]
routes = [{routes}]
[services.static]
target = "handoff"
options = {{ root = "{root}" }}
[services.other]
target = "tcp"
address = "{other}"
[limits]
idle_timeout = {idle}
"""
RELOADS = 20
PATIENCE = 30.0


class Child:
    """`portico run --in-process` with a file that changes."""

    def __init__(self, folder: Path, other: tuple[str, int]) -> None:
        self.file, self.log, self.other = folder / "portico.toml", folder / "log", "{}:{}".format(*other)
        (folder / "root").mkdir()
        (folder / "root" / "page").write_text("a page")
        self.root = folder / "root"
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            self.port = int(sock.getsockname()[1])
        self.write(60)
        command = [sys.executable, "-c", "from portico.cli import main; main()", "run", "--in-process"]
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(
                [*command, "--state", str(folder / "state"), str(self.file)], stdout=out, stderr=subprocess.STDOUT
            )
        self.until(lambda: "listening on" in self.said)

    def write(self, idle: int, *more: str) -> None:
        routes = ['{prefix = "/static/", service = "static"}', '{prefix = "/other/", service = "other"}', *more]
        self.file.write_text(
            STATIC.format(port=self.port, routes=", ".join(routes), root=self.root, other=self.other, idle=idle)
        )

    @property
    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def until(self, condition: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE
        while not condition():
            assert self.process.poll() is None, self.said
            assert time.monotonic() < end, self.said
            time.sleep(0.02)

    def hang_up(self, says: str) -> None:
        """SIGHUP, and wait until it has been followed."""
        before = self.said.count(says)
        self.process.send_signal(signal.SIGHUP)
        self.until(lambda: self.said.count(says) > before)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(PATIENCE)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait(5)


class Server(threading.Thread):
    """An unmodified HTTP server for `/other/`, in threads of this process."""

    def __init__(self) -> None:
        from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Length", "5")
                self.end_headers()
                self.wfile.write(b"other")

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        super().__init__(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.start()

    def end(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class Asker(threading.Thread):
    """Asks on one kept connection without pause; a connection that ends without a word is a failure."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.port, self.answered = port, 0
        self.failures: list[str] = []
        self.over = threading.Event()

    def run(self) -> None:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.connect()
        connection.auto_open = 0
        expected = {"/static/page": b"a page", "/other/x": b"other"}
        while not self.over.is_set():
            for path, body in expected.items():
                try:
                    connection.request("GET", path)
                    response = connection.getresponse()
                    found = response.read()
                    if (response.status, found) != (200, body) or response.will_close:
                        self.failures.append(f"{path}: {response.status} {found!r} {response.will_close}")
                        return
                except (OSError, HTTPException) as error:
                    self.failures.append(f"{path}: {error!r}")
                    return
                self.answered += 1
        connection.close()


@pytest.fixture
def child(tmp_path: Path) -> Iterator[Child]:
    server = Server()
    child = Child(tmp_path, server.server.server_address[:2])  # type: ignore[arg-type]
    yield child
    if child.process.poll() is None:
        child.stop()
    server.end()


GOOD, BAD = "the configuration has been read again", "the configuration in use stays"


def test_reloads_under_load_cost_no_request(child: Child) -> None:
    askers = [Asker(child.port) for _ in range(4)]
    for asker in askers:
        asker.start()
    for number in range(RELOADS):
        if number % 4 == 3:
            child.file.write_text("listeners = [")
            child.hang_up(BAD)
        else:
            child.write(60 + number, f'{{prefix = "/more-{number}/", service = "static"}}')  # the limits make tcp targets anew
            child.hang_up(GOOD)
        answered = [asker.answered for asker in askers]
        bound = time.monotonic() + PATIENCE
        while not all(asker.answered > before for asker, before in zip(askers, answered, strict=True)):
            assert time.monotonic() < bound, [failure for asker in askers for failure in asker.failures]
            time.sleep(0.005)
    for asker in askers:
        asker.over.set()
    for asker in askers:
        asker.join(PATIENCE)
    assert [failure for asker in askers for failure in asker.failures] == []
    assert "Traceback" not in child.said
    assert child.stop() == 0


def test_a_bad_file_is_refused_and_the_reason_is_logged(child: Child) -> None:
    child.file.write_text(child.file.read_text().replace("idle_timeout", "idle_time"))
    child.hang_up(BAD)
    assert "idle_time" in child.said
    child.file.unlink()
    child.hang_up(BAD)
    assert "No such file" in child.said
    connection = HTTPConnection("127.0.0.1", child.port, timeout=20)
    connection.request("GET", "/static/page")
    assert connection.getresponse().read() == b"a page"
    connection.close()
    assert child.stop() == 0
