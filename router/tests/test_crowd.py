"""Crowds, in a process of their own: thousands of slow heads, and more connections than descriptors."""

import contextlib
import resource
import selectors
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from .support.child import RouterProcess

PATIENCE = 30.0
"""Seconds of real time after which a condition that does not come true is a failure."""
SLOW = 5_000
DEADLINE = 6.0
MARGIN = 2 << 20
"""Bytes that may stay in memory after thousands of connections, their answers and their log lines."""
NORMAL = b"GET /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
NEVER_WHOLE = b"GET /x HTTP/1.1\r\nHost: h\r\nSlow: "
CONFIG = """
routes = [{prefix = "/", service = "web"}]
services.web = {target = "tcp", address = "127.0.0.1:%d"}
limits = {head_deadline = %g}
"""
SHORT_OF_DESCRIPTORS = "import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (200, 200))"
RESERVE = 50
"""Of 200: a quarter, as the 128 of the default would be more."""


class Hello(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def server() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Hello) as made:
        made.daemon_threads = True
        threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield made.server_address[1]
        made.shutdown()


@contextmanager
def running(folder: Path, server: int, deadline: float, before: str = "") -> Iterator[RouterProcess]:
    router = RouterProcess(folder, CONFIG % (server, deadline), before)
    try:
        until(lambda: router.said("listening on"))
        until(lambda: ask(router) == "200")  # and everything that it needs is loaded
        router.status()
        yield router
    finally:
        router.close()


def until(condition: Callable[[], object]) -> None:
    bound = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < bound, "what the test waits for never came"
        time.sleep(0.02)


def ask(router: RouterProcess) -> str:
    """A normal request; the status of the answer."""
    with socket.create_connection(router.at, timeout=PATIENCE) as client:
        client.sendall(NORMAL)
        answer = b""
        while piece := client.recv(4_096):
            answer += piece
    return answer[9:12].decode()


def ask_again(client: socket.socket) -> None:
    """A normal request on a kept connection."""
    client.sendall(b"GET /live HTTP/1.1\r\nHost: h\r\n\r\n")
    answer = b""
    while not answer.endswith(b"hello"):
        piece = client.recv(4_096)
        assert piece
        answer += piece


class Crowd:
    """Clients that send a byte now and then, and listen for the answer."""

    def __init__(self, router: RouterProcess, count: int) -> None:
        self._selector = selectors.DefaultSelector()
        self.sent = 0
        for _ in range(count):
            client = socket.socket()
            client.settimeout(PATIENCE)
            client.connect(router.at)
            client.send(NEVER_WHOLE[:1])
            client.setblocking(False)
            self._selector.register(client, selectors.EVENT_READ, b"")
        self.sent = 1
        self.answers: Counter[bytes] = Counter()

    def send(self) -> None:
        """One more byte each."""
        for key in self._selector.get_map().values():
            client = key.fileobj
            assert isinstance(client, socket.socket)
            with contextlib.suppress(OSError):  # it may have its answer
                client.send(NEVER_WHOLE[self.sent : self.sent + 1] or b"a")
        self.sent += 1

    def listen(self) -> int:
        """Read what has come; how many are still there."""
        for key, _ in self._selector.select(0.02):
            client = key.fileobj
            assert isinstance(client, socket.socket)
            try:
                piece = client.recv(4_096)
            except ConnectionResetError:
                piece = b""
            if piece:
                self._selector.modify(client, selectors.EVENT_READ, key.data + piece)
            else:
                self.answers[key.data[9:12]] += 1
                self._selector.unregister(client)
                client.close()
        return len(self._selector.get_map())

    def close(self) -> None:
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]
        self._selector.close()


@pytest.fixture
def many_descriptors() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= hard < SLOW + 500:
        pytest.skip("this process may not have so many descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("many_descriptors")
def test_thousands_of_slow_heads(tmp_path: Path, server: int) -> None:
    with running(tmp_path, server, DEADLINE) as router:
        until(lambda: router.status()["held"] == 0)
        descriptors, memory = router.descriptors, router.memory
        crowd = Crowd(router, SLOW)
        until(lambda: router.status()["waiting"] == SLOW)
        assert router.descriptors >= SLOW
        while not crowd.answers:
            crowd.send()
            assert ask(router) == "200"  # the others notice nothing
            crowd.listen()
        assert crowd.sent > 2
        until(lambda: not crowd.listen())
        assert crowd.answers == {b"408": SLOW}
        until(lambda: router.status()["held"] == 0)
        until(lambda: router.descriptors <= descriptors + 1)  # a connection to the server is kept
        assert router.memory < memory + MARGIN, "memory has not come back"
        crowd.close()
        assert not [line for line in router.lines if line.get("level") in ("error", "critical")]


def test_accepting_pauses_before_descriptors_run_out(tmp_path: Path, server: int) -> None:
    """The operators' port and what lives go on meanwhile, and all that waited is served."""
    with running(tmp_path, server, 600.0, SHORT_OF_DESCRIPTORS) as router:
        live = socket.create_connection(router.at, timeout=PATIENCE)
        ask_again(live)
        crowd = Crowd(router, 200)
        until(lambda: router.status()["pauses"].get("descriptors"))
        assert 200 - RESERVE <= router.descriptors <= 200 - RESERVE + 10
        late = [socket.create_connection(router.at, timeout=PATIENCE) for _ in range(20)]
        for client in late:
            client.sendall(NORMAL)
        held = router.status()["held"]
        for _ in range(5):
            assert router.get("/healthz") == b"alive\n"
            assert b"portico_pauses_total" in router.get("/metrics")
            ask_again(live)
        assert router.status()["held"] == held < 200
        crowd.close()
        for client in late:
            assert client.recv(4_096).startswith(b"HTTP/1.1 200 ")
            client.close()
        live.close()
        until(lambda: router.status()["held"] == 0)
        assert len(router.said("accepting pauses")) == 1
        assert not router.said("cannot accept")
