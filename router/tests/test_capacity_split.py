"""A split service that is full: exchanges are what counts, and neither kept clients nor pooled connections."""

from collections.abc import Iterator

import pytest
from portico.poller import Poller

from .support.places import FullRig, finish, full, get
from .support.reactor import HandReactor
from .support.wires import Logged


@pytest.fixture
def rig(reactor: HandReactor, poller: Poller, logged: Logged) -> Iterator[FullRig]:
    yield from full(reactor, poller, logged)


def test_neither_a_kept_client_nor_a_pooled_connection_has_a_place(rig: FullRig) -> None:
    server = rig.server()
    rig.make(capacity=1)
    clients = [rig.connect(get("/0"))]
    end = server.accept()
    for number in range(1, 4):
        server.hears(end, b"GET /%d " % (number - 1))
        finish(rig, clients[-1], end)
        assert rig.loads == [0]
        clients.append(rig.connect(get(f"/{number}")))
    assert server.look() == 1
    server.hears(end, b"GET /3 ")
    finish(rig, clients[-1], end)


def test_the_next_request_of_a_kept_client_waits_behind_the_others(rig: FullRig) -> None:
    """A place that becomes free is for the one that has waited longest, and not for who is just there."""
    server = rig.server()
    rig.make(capacity=1)
    kept = rig.connect(get("/1") + get("/3"))  # pipelined
    end = server.accept()
    other = rig.connect(get("/2"))
    server.hears(end, b"GET /1 ")
    finish(rig, kept, end)
    server.hears(end, b"GET /2 ")
    assert rig.service.queued == 1
    finish(rig, other, end)
    server.hears(end, b"GET /3 ")
    kept.sock.send(get("/5"))
    other.sock.send(get("/4"))
    rig.reactor.until(lambda: rig.service.queued == 1)
    finish(rig, kept, end)
    for client, path in ((other, b"/4"), (kept, b"/5")):
        server.hears(end, b"GET %b " % path)
        finish(rig, client, end)
    assert server.look() == 1


def test_an_upgraded_connection_keeps_its_place(rig: FullRig) -> None:
    server = rig.server()
    rig.make(capacity=1)
    first = rig.connect(get("/ws", "Connection: Upgrade\r\nUpgrade: chat\r\n"))
    end = server.accept()
    end.sock.send(b"HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n")
    rig.gets(first, b"\r\n\r\n")
    second = rig.connect()
    assert rig.service.queued == 1
    end.sock.send(b"still there")
    rig.gets(first, b"still there")
    end.sock.close()
    first.sock.close()
    end = server.accept()
    finish(rig, second, end)


def test_idle_connections_and_those_in_use_are_no_more_than_it_together(rig: FullRig) -> None:
    server = rig.server()
    rig.make(capacity=2)
    clients = [rig.connect(get(f"/{number}")) for number in range(2)]
    ends = [server.accept() for _ in range(2)]
    for client, end in zip(clients, ends, strict=True):
        finish(rig, client, end)
    assert len(rig.target._split.pool) == 2
    clients[0].sock.send(get("/again"))
    server.hears(ends[1], b"GET /again ")
    ends[1].sock.close()  # without an answer: it is repeated over a fresh connection
    fresh = server.accept()
    server.hears(fresh, b"GET /again ")
    assert rig.loads == [1]
    assert len(rig.target._split.pool) == 1
    clients[1].sock.send(get("/more"))
    server.hears(ends[0], b"GET /more ")
    assert rig.loads == [2]
    ends[0].sock.close()
    last = server.accept()
    server.hears(last, b"GET /more ")
    assert len(rig.target._split.pool) == 0
    for client, end in zip(clients, (fresh, last), strict=True):
        finish(rig, client, end)


def test_a_repetition_keeps_its_place_though_others_wait(rig: FullRig) -> None:
    server = rig.server()
    rig.make(capacity=1)
    client = rig.connect(get("/first"))
    end = server.accept()
    server.hears(end, b"GET /first ")
    waiting = rig.connect(get("/second"))
    end.sock.close()
    end = server.accept()
    server.hears(end, b"GET /first ")
    assert rig.service.queued == 1
    finish(rig, client, end)
    server.hears(end, b"GET /second ")
    finish(rig, waiting, end)
