"""Hooks, webhooks, and the service that tells them."""

import http.server
import json
import sys
import threading
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from svckit.settings import BadOptions, Settings
from twisted.internet.task import Clock
from uploadsvc import telling
from uploadsvc.journal import Journal
from uploadsvc.service import make_service
from uploadsvc.store import Store
from uploadsvc.telling import INTERVAL, LONGEST_PAUSE, NotTold, Teller, by_command, by_http

from .held import at_once

LINE = b'{"name":"x"}\n'


def test_a_command(tmp_path: Path) -> None:
    program = "import sys; open(sys.argv[1], 'wb').write(sys.stdin.buffer.read())"
    by_command(f'{sys.executable} -c "{program}" {tmp_path}/heard')(LINE)
    assert (tmp_path / "heard").read_bytes() == LINE


@pytest.mark.parametrize("command", ["false", "/nonexistent/program"])
def test_a_command_that_fails(command: str) -> None:
    with pytest.raises(NotTold):
        by_command(command)(LINE)


def test_a_command_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "HOOK_TIME", 0.2)
    with pytest.raises(NotTold):
        by_command("sleep 100")(LINE)


class Server(http.server.BaseHTTPRequestHandler):
    """Answers with the status that stands in the path."""

    heard: list[bytes]

    def do_POST(self) -> None:
        self.heard.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(int(self.path.rpartition("/")[2]))
        self.send_header("Location", "/200")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def server() -> Iterator[tuple[str, list[bytes]]]:
    heard: list[bytes] = []
    handler = type("Handler", (Server,), {"heard": heard})
    with http.server.HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}", heard
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(("status", "fine"), [(200, True), (204, True), (302, False), (404, False), (500, False)])
def test_a_webhook(server: tuple[str, list[bytes]], status: int, fine: bool) -> None:
    url, heard = server
    if fine:
        by_http(f"{url}/{status}")(LINE)
    else:
        with pytest.raises(NotTold):
            by_http(f"{url}/{status}")(LINE)
    assert heard == [LINE]


def test_a_webhook_that_nobody_answers() -> None:
    with pytest.raises(NotTold):
        by_http("http://127.0.0.1:1/")(LINE)


@pytest.mark.parametrize(
    "options",
    [{"hook": "'"}, {"hook": " "}, {"webhook": "ftp://x/"}, {"webhook": "http:///x"}, {"hook": "true", "webhook": "http://x/"}],
)
def test_options_that_cannot_be(tmp_path: Path, options: dict[str, str]) -> None:
    settings = Settings(service="uploads", replica="r1", state=tmp_path, options={"writes": "anyone", **options})
    with pytest.raises(BadOptions, match="hook"):
        make_service(settings, Clock())  # type: ignore[arg-type]


@pytest.mark.parametrize("failing", [0, 12])
def test_tried_again_later_and_later(tmp_path: Path, failing: int) -> None:
    store = Store(tmp_path, journal=Journal(tmp_path))
    store.prepare(0)
    assert store.journal is not None
    store.journal.prepare()
    part = store.new_part()
    part.append([b"abc"])
    part.commit(3, "x")
    clock, tries = Clock(), []

    def tell(line: bytes) -> None:
        tries.append(clock.seconds())
        if len(tries) <= failing:
            raise NotTold("no")

    teller = Teller(store.journal, None, tell, at_once, clock)
    teller.startService()
    clock.pump([INTERVAL] * 1500)
    assert len(tries) == failing + 1, "and then no more"
    pauses = [after - before for before, after in pairwise(tries)]
    assert pauses == [min(INTERVAL * 2 ** (at + 1), LONGEST_PAUSE) for at in range(failing)]
    assert teller.stopService() is None
    assert not clock.getDelayedCalls()


def test_who_ends_leaves_the_rest_to_others(tmp_path: Path) -> None:
    store = Store(tmp_path, journal=Journal(tmp_path))
    store.prepare(0)
    assert store.journal is not None
    store.journal.prepare()
    for name in ("x", "y"):
        part = store.new_part()
        part.append([b"abc"])
        part.commit(3, name)
    told: list[bytes] = []

    def tell(line: bytes) -> None:
        told.append(line)
        ending.stopService()

    ending = Teller(store.journal, None, tell, at_once, Clock())
    ending.startService()
    assert len(told) == 1
    assert store.journal.deliver(None, told.append) == 1
    assert [json.loads(line)["name"] for line in told] == ["x", "y"]
