"""`capacity` over reloads, drains and the end."""

import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from portico.config import Limits
from portico.poller import Poller

from .support.deployment import deployed, request
from .support.places import KEEPALIVE, LIMITS, OK, FullRig, finish, full, get
from .support.reactor import HandReactor
from .support.wires import Inbox, Logged, parse_response

CONFIG = """
listeners = [{address = "127.0.0.1:0"}]
routes = [{prefix = "/", service = "app"}]
services.app = {target = "tcp", address = "%s:%d", keepalive = "pin", capacity = %d}
"""


@pytest.fixture
def rig(reactor: HandReactor, poller: Poller, logged: Logged) -> Iterator[FullRig]:
    yield from full(reactor, poller, logged)


def test_a_configuration_that_changes_it(reactor: HandReactor, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        at = server.getsockname()
        with deployed(reactor, folder, CONFIG % (*at, 1), "tcp", monkeypatch) as made:

            def connect() -> Inbox:
                sock = socket.create_connection(made.application.addresses[0], timeout=5)
                sock.sendall(request("/"))
                reactor.settle()
                return Inbox(sock)

            def found() -> tuple[int, int | None, int]:
                app = made.application.report().services["app"]
                return app.replicas[0].open, app.replicas[0].capacity, app.queued

            clients = [connect() for _ in range(3)]
            reactor.until(lambda: found() == (1, 1, 2))
            for capacity, then in ((1, (1, 1, 2)), (2, (2, 2, 1)), (1, (2, 1, 1)), (3, (3, 3, 0))):
                made.reload(CONFIG % (*at, capacity) + f"limits.head_deadline = {10.0 + len(made.lines)}")
                reactor.settle()
                assert found() == then
            for client in clients:
                server.accept()[0].close()
                client.sock.close()
            reactor.until(lambda: found() == (0, 3, 0))


@pytest.mark.parametrize("keepalive", ["split", "pin"])
@pytest.mark.parametrize("capacity", [1, 2, None])
def test_a_reload_makes_no_room(rig: FullRig, keepalive: str, capacity: int | None) -> None:
    """What the service before it has under way counts on, and leaves its place to those that wait for the new one."""
    server = rig.server()
    rig.make(keepalive=keepalive, capacity=1)
    first = rig.connect(get("/1"))
    end = server.accept()
    server.hears(end, b"GET /1 ")
    rig.connect(get("/2"))
    assert rig.service.queued == 1
    rig.make(keepalive=keepalive, capacity=capacity)
    rig.reactor.settle()
    if capacity == 1:
        assert (rig.service.queued, rig.loads) == (1, [1])
        finish(rig, first, end)
    server.hears(server.accept(), b"GET /2 ")
    assert (rig.service.queued, rig.loads) == (0, [1 if capacity == 1 else 2])
    assert rig.replicas[0].get("capacity") == capacity


@pytest.mark.parametrize("capacity", [2, None])
def test_after_a_reload_nothing_idle_is_kept_for_the_old_configuration(rig: FullRig, capacity: int | None) -> None:
    """It would hold a place at the server, beyond its capacity, and nobody would ever use it."""
    server = rig.server()
    rig.make(capacity=capacity)
    upgraded = rig.connect(get("/ws", "Connection: Upgrade\r\nUpgrade: chat\r\n"))
    server.accept().sock.send(b"HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n")
    rig.gets(upgraded, b"\r\n\r\n")
    first = rig.connect(get("/1"))
    end = server.accept()
    server.hears(end, b"GET /1 ")
    before = rig.target
    rig.make(capacity=capacity)
    finish(rig, first, end)
    assert len(before._split.pool) == 0
    rig.reactor.until(end.has_ended)
    assert len(before._tunnels) == 1


def test_a_connection_that_outlives_very_many_reloads(rig: FullRig) -> None:
    server = rig.server()
    rig.make(keepalive="pin", capacity=1)
    first = rig.connect()
    end = server.accept()
    for _ in range(sys.getrecursionlimit()):
        rig.make(keepalive="pin", capacity=1)
    waiting = rig.connect(get("/2"))
    assert (rig.service.queued, rig.loads) == (1, [1])
    finish(rig, first, end)
    end = server.accept()
    server.hears(end, b"GET /2 ")
    finish(rig, waiting, end)


def test_addresses_that_are_gone_are_forgotten(rig: FullRig) -> None:
    rig.server()
    for number in range(5):
        rig.make(capacity=1)
        rig.target.replicas.found([(f"127.0.1.{number}", rig.port)])
    rig.make(capacity=1)
    assert list(rig.target.replicas._before) == [("127.0.1.4", rig.port)]  # the last one's may be there again


def test_a_reload_to_less_waits_until_there_is_less(rig: FullRig) -> None:
    server = rig.server()
    rig.make(keepalive="pin", capacity=3)
    clients = [rig.connect() for _ in range(3)]
    ends = [server.accept() for _ in range(3)]
    rig.make(keepalive="pin", capacity=1)
    rig.connect(get("/late"))
    for client, end in zip(clients, ends, strict=True):
        assert (rig.service.queued, rig.states) == (1, ["full"])
        finish(rig, client, end)
    server.hears(server.accept(), b"GET /late ")
    assert rig.loads == [1]


def test_a_drained_address_does_not_count_as_room(rig: FullRig) -> None:
    servers = [rig.server(), rig.server()]
    rig.make(capacity=1)
    client = rig.connect()
    end = servers[0].accept()
    rig.target.drain(servers[1].name, True)
    waiting = rig.connect(get("/next"))
    assert (rig.service.queued, rig.states) == (1, ["full", "drained"])
    rig.target.drain(servers[1].name, False)
    other = servers[1].accept()
    servers[1].hears(other, b"GET /next ")
    finish(rig, waiting, other)
    finish(rig, client, end)


@pytest.mark.parametrize("keepalive", KEEPALIVE)
def test_in_a_drain_those_that_wait_get_the_places_of_those_that_end(rig: FullRig, keepalive: str) -> None:
    server = rig.server()
    rig.make(keepalive=keepalive, capacity=1)
    first = rig.connect(get("/1"))
    end = server.accept()
    second = rig.connect(get("/2"))
    ended: list[object] = []
    rig.target.stop().addCallback(ended.append)
    end.sock.send(OK)
    end.sock.close()
    rig.gets(first, b"\r\n\r\nok")
    first.sock.close()
    end = server.accept()
    server.hears(end, b"GET /2 ")
    assert ended == []
    end.sock.send(OK)
    end.sock.close()
    rig.gets(second, b"\r\n\r\nok")
    second.sock.close()
    rig.reactor.until(lambda: ended)


@pytest.mark.parametrize("keepalive", KEEPALIVE)
def test_when_the_drain_time_is_up_nobody_gets_the_places(rig: FullRig, keepalive: str) -> None:
    server = rig.server()
    limits = Limits(queue_timeout=100.0, drain_time=LIMITS.drain_time)
    rig.make(limits, keepalive=keepalive, capacity=1)
    for number in range(3):
        rig.connect(get(f"/{number}"))
    server.accept()
    ended: list[object] = []
    rig.target.stop().addCallback(ended.append)
    rig.reactor.advance(LIMITS.drain_time)
    assert (len(ended), server.look(), rig.service.queued) == (1, 1, 2)
    rig.service.refuse_queued()
    assert [line["ended"] for line in rig.logged.lines] == ["KD" if keepalive != "split" else "KH", "KQ", "KQ"]


@pytest.mark.parametrize("keepalive", KEEPALIVE)
def test_an_attempt_that_is_under_way_when_the_drain_time_is_up_becomes_nothing(
    rig: FullRig,
    keepalive: str,
) -> None:
    """It would become a tunnel that nobody ends, and the router would stay for as long as that lives."""
    server = rig.server()
    with server.is_deaf():
        rig.make(keepalive=keepalive, connect_timeout=LIMITS.drain_time * 2)
        client = rig.connect()
        rig.reactor.settle()
        ended: list[object] = []
        rig.target.stop().addCallback(ended.append)
        rig.reactor.advance(LIMITS.drain_time)
    assert (len(ended), rig.loads, len(rig.target._attempts)) == (1, [0], 0)
    assert [line["ended"] for line in rig.logged.lines] == ["KC"]
    rig.reactor.until(client.has_ended)
    assert parse_response(client.data)[0].status == 503 if keepalive != "split" else client.data == b""
