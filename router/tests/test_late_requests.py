"""Requests that come to a tcp service when it has drained, while the router still has other things to do."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from .support.deployment import Deployment, deployed, request
from .support.places import OK, Server
from .support.reactor import HandReactor
from .support.wires import Inbox, parse_response

CONFIG = """
listeners = [{address = "127.0.0.1:0"}]
routes = [{prefix = "/alpha", service = "alpha"}, {prefix = "/beta", service = "beta"}, {prefix = "/gamma", service = "gamma"}]
limits.drain_time = 8.0
services.alpha = {target = "handoff", folder = "FOLDER/alpha"}
services.beta = {target = "tcp", address = "127.0.0.1:%d"}
services.gamma = {target = "tcp", address = "127.0.0.1:%d"}
"""


class Rig:
    """A client that a replica has served, and one whose answer by gamma the drain waits for."""

    def __init__(self, made: Deployment, beta: Server, gamma: Server) -> None:
        self.made, self.reactor, self.beta = made, made.reactor, beta
        made.replica("alpha")
        self.kept, self.busy = self.connect(), self.connect()
        assert made.ask(self.kept, "/alpha").startswith("alpha ")
        self.kept.data = b""
        self.busy.sock.send(request("/gamma"))
        self.long = gamma.accept()
        gamma.hears(self.long, b"GET /gamma ")
        made.stop()
        self.reactor.settle()
        self.reactor.advance(2.0)

    def connect(self) -> Inbox:
        sock = socket.create_connection(self.made.application.addresses[0], timeout=5)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return Inbox(sock)


@pytest.fixture
def rig(reactor: HandReactor, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    beta, gamma = Server(reactor), Server(reactor)
    with deployed(reactor, folder, CONFIG % (beta.at[1], gamma.at[1]), "handoff", monkeypatch) as made:
        rig = Rig(made, beta, gamma)
        yield rig
        for each in (rig.kept, rig.busy):
            each.sock.close()
    for server in (beta, gamma):
        server.close()


def test_what_comes_back_late_is_answered(rig: Rig) -> None:
    rig.kept.sock.send(request("/beta"))
    late = rig.beta.accept()
    rig.beta.hears(late, b"GET /beta ")
    rig.long.sock.send(OK)
    rig.reactor.until(rig.busy.has_ended)
    assert rig.made.stopped == []
    late.sock.send(OK)
    rig.reactor.until(rig.kept.has_ended)
    assert rig.kept.data.endswith(b"\r\n\r\nok")
    rig.reactor.until(lambda: rig.made.stopped)


def test_it_has_no_more_time_than_all_others(rig: Rig) -> None:
    rig.kept.sock.send(request("/beta"))
    rig.beta.hears(rig.beta.accept(), b"GET /beta ")
    rig.long.sock.send(OK)
    rig.reactor.until(rig.busy.has_ended)
    rig.reactor.advance(5.9)
    assert rig.made.stopped == []
    rig.reactor.advance(0.1)
    rig.reactor.until(lambda: rig.made.stopped)


def test_what_comes_at_the_last_moment_gets_an_answer(rig: Rig) -> None:
    wire = request("/beta")
    rig.kept.sock.send(wire[:-4])
    rig.reactor.until(lambda: len(rig.made.application.router.patience))
    rig.long.sock.send(OK)
    rig.kept.sock.send(wire[-4:])
    rig.reactor.until(lambda: rig.made.stopped)
    rig.reactor.until(rig.kept.has_ended)
    assert parse_response(rig.kept.data)[0].status == 503
