"""A router that is told to overwrite memory holds no password of a request that has left it, whichever way that took."""

import os
import sys
import time
import uuid
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from .logins.secrets import memory_of
from .support.certificate import write_certificate
from .support.one_process import OneProcess
from .support.services import run_services
from .support.site import Site, free_port, wait_for_listener
from .support.tree import ROOT

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="other processes' memory is for root to read")

CONFIGURATION = """
listeners = [{{address = "127.0.0.1:{port}"}}, {{address = "127.0.0.1:{secure}", tls = {{certificate = "{trust}"}}}}]
routes = [
  {{prefix = "/static/", service = "static"}},
  {{prefix = "/uploads/", service = "uploads"}},
  {{prefix = "/named/", host = "portico.test", service = "static"}},
  {{prefix = "/app/", service = "app"}},
]
limits = {{queue_timeout = 30.0, head_deadline = 60.0}}
services.static = {{target = "handoff", folder = "{folder}/static"}}
services.uploads = {{target = "handoff", folder = "{folder}/uploads"}}
services.app = {{target = "tcp", address = "127.0.0.1:{server}"}}
"""
LAST = {"Connection": "close"}


@dataclass(frozen=True)
class Routed:
    """The router, and how it is reached."""

    router: OneProcess
    plain: Site
    secure: Site

    def holds(self, needle: bytes) -> bool:
        """Whether it stands anywhere in the router's memory."""
        return any(needle in piece for piece in memory_of(self.router.process.pid))


@pytest.fixture(scope="module")
def routed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Routed]:
    folder, port, secure, server = tmp_path_factory.mktemp("memory"), free_port(), free_port(), free_port()
    trust = write_certificate(folder / "site.pem")
    written = CONFIGURATION.format(folder=folder, port=port, secure=secure, server=server, trust=folder / "site.pem")
    with ExitStack() as stack:
        command: list[str | Path] = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(server), "-d", str(folder)]
        stack.callback(OneProcess(command, server, folder / "log-server").stop)
        wait_for_listener("127.0.0.1", server)
        services = {
            "static": {"PORTICO_OPTION_ROOT": str(ROOT / "static/files"), "PORTICO_AUTH": ""},
            "uploads": {"PORTICO_OPTION_WRITES": "anyone"},
        }
        started = run_services(folder, port, written, services, stack, shipped_switch())
        yield Routed(started["router"], Site("127.0.0.1", port, ""), Site("127.0.0.1", secure, "", trust))


def shipped_switch() -> dict[str, str]:
    """What the switch of the compose file sets."""
    lines = (ROOT / "docker-compose.yml").read_text().splitlines()
    found = [line.strip().partition(": ${PORTICO_WIPE_ROUTER:+") for line in lines]
    return {name: value.removesuffix("}") for name, switch, value in found if switch}


def in_one_piece(routed: Routed, header: dict[str, str]) -> None:
    for path, status in (("/static/hello.txt", 200), ("/named/x", 404), ("/nowhere", 404), ("/app/x", 404)):
        with routed.plain.connect() as connection:
            assert connection.get(path, **header, **LAST).status == status


def in_small_pieces(routed: Routed, header: dict[str, str]) -> None:
    head = f"GET /static/hello.txt HTTP/1.1\r\nHost: x\r\nAuthorization: {header['Authorization']}\r\nConnection: close\r\n\r\n"
    with routed.plain.connect() as connection:
        for at in range(0, len(head), 16):
            connection.send(head[at : at + 16].encode())
            time.sleep(0.001)  # so that most of them are read one by one
        assert connection.response().status == 200


def on_a_kept_connection(routed: Routed, header: dict[str, str]) -> None:
    """It goes from service to service through the router."""
    with routed.plain.connect() as connection:
        for path in ("/static/hello.txt", "/uploads/", "/static/hello.txt"):
            assert connection.get(path, **header).status == 200


def by_tls(routed: Routed, header: dict[str, str]) -> None:
    for path in ("/static/hello.txt", "/app/x"):
        with routed.secure.connect() as connection:
            assert connection.get(path, **header, **LAST).status in (200, 404)


@pytest.mark.parametrize("way", [in_one_piece, in_small_pieces, on_a_kept_connection, by_tls])
def test_nothing_is_left_of_a_password(routed: Routed, way) -> None:  # type: ignore[no-untyped-def]
    token = b64encode(f"user:{uuid.uuid4().hex}".encode())
    for _ in range(10):
        way(routed, {"Authorization": f"Basic {token.decode()}"})
    deadline = time.monotonic() + 20  # the last connections have to end
    while routed.holds(token):
        assert time.monotonic() < deadline, f"{token!r} is still there"
        time.sleep(0.1)


def test_the_search_finds_what_is_there(routed: Routed) -> None:
    """A head that is not complete is the router's to keep."""
    token = uuid.uuid4().hex
    with routed.plain.connect() as connection:
        connection.send(f"GET /static/hello.txt HTTP/1.1\r\nAuthorization: Basic {token}".encode())
        deadline = time.monotonic() + 10
        while not routed.holds(token.encode()):
            assert time.monotonic() < deadline, "it is not there"
            time.sleep(0.1)
