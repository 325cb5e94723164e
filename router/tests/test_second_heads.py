"""The second head on a kept connection is held to the same as the first, whoever reads it: a service's guard, or the router."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from .support.deployment import KINDS, Deployment, deployed
from .support.reactor import HandReactor
from .support.wires import Inbox

CONFIG = """
listeners = [{address = "127.0.0.1:0"}]
routes = [{prefix = "/a/", service = "alpha"}]
[services.alpha]
"""
HANDOFF = 'target = "handoff"\nfolder = "FOLDER/alpha"\n'
TCP = 'target = "tcp"\naddress = "127.0.0.1:1"\n'


@pytest.fixture(params=KINDS)
def deployment(
    request: pytest.FixtureRequest, reactor: HandReactor, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Deployment]:
    kind: str = request.param
    with deployed(reactor, folder, CONFIG + (TCP if kind == "tcp" else HANDOFF), kind, monkeypatch) as made:
        if kind == "handoff":
            made.replica("alpha")
        elif kind == "tcp":
            made.application._services["alpha"].target.replicas.found([made.server("alpha")])  # type: ignore[attr-defined]
        yield made


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /a/x HTTP/1.1\r\nHost: h\r\n" + b"A: b\r\n" * 128 + b"\r\n", b"431"),
        (b"GET /a/x HTTP/1.1\r\n\r\n", b"400"),
        (b"GET /a/x HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n", b"400"),
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_a_head(deployment: Deployment, head: bytes, status: bytes, first: bool) -> None:
    client = Inbox(socket.create_connection(deployment.application.addresses[0], timeout=5))
    if not first:
        assert deployment.ask(client, "/a/x").startswith("alpha ")
        client.data = b""
    client.sock.send(head)
    deployment.reactor.until(client.has_ended)
    assert client.data.split(b" ")[1] == status
    client.sock.close()


def test_nearly_as_many_fields_as_there_may_be(deployment: Deployment) -> None:
    client = Inbox(socket.create_connection(deployment.application.addresses[0], timeout=5))
    fields = {f"A{number}": "b" for number in range(125)}  # and Host, and two that the router adds on the way to a tcp server
    for _ in range(2):
        assert deployment.ask(client, "/a/x", **fields).startswith("alpha ")
    client.sock.close()
