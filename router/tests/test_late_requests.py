"""Requests that come to a tcp service when it has drained, while the router still has other things to do."""

import socket
from pathlib import Path

import pytest

from .support.deployment import deployed, request
from .support.places import OK, Server
from .support.reactor import HandReactor
from .support.wires import Inbox

CONFIG = """
listeners = [{address = "127.0.0.1:0"}]
routes = [{prefix = "/alpha", service = "alpha"}, {prefix = "/beta", service = "beta"}, {prefix = "/gamma", service = "gamma"}]
limits.drain_time = 8.0
services.alpha = {target = "handoff", folder = "FOLDER/alpha"}
services.beta = {target = "tcp", address = "127.0.0.1:%d"}
services.gamma = {target = "tcp", address = "127.0.0.1:%d"}
"""


def test_what_comes_back_late_is_answered(reactor: HandReactor, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    beta, gamma = Server(reactor), Server(reactor)
    config = CONFIG % (beta.at[1], gamma.at[1])
    with deployed(reactor, folder, config, "handoff", monkeypatch) as made:
        made.replica("alpha")

        def connect() -> Inbox:
            return Inbox(socket.create_connection(made.application.addresses[0], timeout=5))

        kept, busy = connect(), connect()
        assert made.ask(kept, "/alpha").startswith("alpha ")
        busy.sock.send(request("/gamma"))
        long = gamma.accept()
        gamma.hears(long, b"GET /gamma ")
        made.stop()
        reactor.settle()
        reactor.advance(2.0)
        kept.data = b""
        kept.sock.send(request("/beta"))
        late = beta.accept()
        beta.hears(late, b"GET /beta ")
        long.sock.send(OK)
        reactor.until(busy.has_ended)
        assert made.stopped == []
        late.sock.send(OK)
        reactor.until(kept.has_ended)
        assert kept.data.endswith(b"\r\n\r\nok")
        reactor.settle()
        reactor.advance(0)
        assert len(made.stopped) == 1
        for each in (kept, busy):
            each.sock.close()
    for server in (beta, gamma):
        server.close()
