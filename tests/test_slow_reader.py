"""A client that reads in fits and starts: what it has not read waits with the server, and never in the router's memory."""

import hashlib
import http.server
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .support.one_process import OneProcess
from .support.payload import MIB, Payload
from .support.site import free_port, wait_for_listener

SIZE = 64 * MIB
SIP = 2 * MIB
"""Read at one go; then the client does nothing for a while, and everything on the way to it fills up."""
REST = 0.03
"""Seconds."""
ALLOWED = 5 * MIB
"""By which the router may grow."""


class Server(http.server.ThreadingHTTPServer):
    """Sends and takes bodies as fast as it can."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.payload = Payload(SIZE)
        self.got = hashlib.sha256()
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(SIZE))
        self.end_headers()
        for piece in self.server.payload:
            self.wfile.write(piece)

    def do_PUT(self) -> None:
        self.server.got = hashlib.sha256()
        for _ in range(0, SIZE, SIP):
            time.sleep(REST)
            self.server.got.update(self.rfile.read(SIP))
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(params=["split", "pin"])
def router(request: pytest.FixtureRequest, server: Server, tmp_path: Path) -> Iterator[OneProcess]:
    port = free_port()
    configuration = tmp_path / "portico.toml"
    configuration.write_text(
        f"""
        listeners = [{{address = "127.0.0.1:{port}"}}]
        routes = [{{prefix = "/", service = "app"}}]
        services.app = {{target = "tcp", address = "127.0.0.1:{server.server_address[1]}", keepalive = "{request.param}"}}
        """
    )
    running = OneProcess.router(port, tmp_path, configuration)
    try:
        wait_for_listener("127.0.0.1", port)
        yield running
    finally:
        running.stop()


def memory(router: OneProcess) -> int:
    """The router's resident memory in bytes."""
    pages = Path(f"/proc/{router.process.pid}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def test_a_client_that_reads_slowly(router: OneProcess, server: Server) -> None:
    idle = most = memory(router)
    digest, left = hashlib.sha256(), SIZE
    with socket.create_connection(("127.0.0.1", router.port), 30) as client, client.makefile("rb") as stream:
        client.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        while stream.readline() != b"\r\n":
            pass
        while left:
            time.sleep(REST)
            most = max(most, memory(router))
            piece = stream.read(min(SIP, left))
            assert piece, router.log[-2000:]
            left -= len(piece)
            digest.update(piece)
    assert digest.hexdigest() == server.payload.sha256
    assert most - idle <= ALLOWED


def test_a_server_that_reads_slowly(router: OneProcess, server: Server) -> None:
    idle = most = memory(router)
    with socket.create_connection(("127.0.0.1", router.port), 30) as client, client.makefile("rb") as stream:
        client.sendall(b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % SIZE)
        for piece in server.payload:
            client.sendall(piece)
            most = max(most, memory(router))
        assert stream.readline().split()[1] == b"204"
    assert server.got.hexdigest() == server.payload.sha256
    assert most - idle <= ALLOWED
