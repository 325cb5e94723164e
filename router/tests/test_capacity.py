"""`capacity`: how many connections, or exchanges, an address of a tcp server may have under way, and who waits meanwhile."""

from collections.abc import Callable, Iterator

import pytest
from portico.config import BadConfig, Tcp, parse
from portico.poller import Poller

from .support.places import HELLO, KEEPALIVE, OK, QUEUE, FullRig, finish, full, get, status_of
from .support.reactor import HandReactor
from .support.wires import Inbox, Logged, reset


@pytest.fixture
def rig(reactor: HandReactor, poller: Poller, logged: Logged) -> Iterator[FullRig]:
    yield from full(reactor, poller, logged)


@pytest.mark.parametrize("keepalive", KEEPALIVE)
def test_one_too_many_waits_until_a_place_is_free(rig: FullRig, keepalive: str) -> None:
    server = rig.server()
    rig.make(keepalive=keepalive, capacity=2)
    first, second, third = (rig.connect() for _ in range(3))
    ends = [server.accept() for _ in range(2)]
    for end in ends:
        server.hears(end, b"GET /a ")
    assert rig.replicas == [{"replica": server.name, "state": "full", "open": 2, "capacity": 2}]
    assert rig.service.queued == 1
    assert server.look() == 2
    rig.reactor.advance(QUEUE - 1)
    finish(rig, first, ends[0])
    assert rig.service.queued == 0
    assert rig.loads == [2]
    end = ends[0] if keepalive == "split" else server.accept()
    server.hears(end, b"GET /a ")
    assert server.look() == (2 if keepalive == "split" else 3)  # split: over the connection that has become free
    finish(rig, third, end)
    finish(rig, second, ends[1])
    assert rig.loads == [0]
    assert rig.states == ["ready"]
    assert len(rig.target._split.pool) == (2 if keepalive == "split" else 0)


@pytest.mark.parametrize("keepalive", KEEPALIVE)
def test_who_waits_too_long_gets_503_and_nothing_of_it_remains(rig: FullRig, keepalive: str) -> None:
    server = rig.server()
    rig.make(keepalive=keepalive, capacity=1)
    first = rig.connect()
    end = server.accept()
    late = rig.connect()
    rig.reactor.advance(QUEUE - 0.1)
    assert late.read() == b""
    rig.reactor.advance(0.2)
    assert status_of(rig, late) == 503
    assert [(line["status"], line["ended"]) for line in rig.logged.lines] == [(503, "sQ")]
    assert (rig.service.queued, rig.loads, server.look()) == (0, [1], 1)
    finish(rig, first, end)
    assert rig.loads == [0]


@pytest.mark.parametrize("keepalive", KEEPALIVE)
@pytest.mark.parametrize("leave", [lambda client: client.sock.close(), lambda client: reset(client.sock)])
def test_who_leaves_while_it_waits_keeps_no_place(rig: FullRig, keepalive: str, leave: Callable[[Inbox], None]) -> None:
    """A reset is seen, and costs the server nothing. Who has only ended its side may wait for the answer."""
    server = rig.server()
    rig.make(keepalive=keepalive, capacity=1)
    first = rig.connect()
    end = server.accept()
    leaving = rig.connect(get("/gone"))
    last = rig.connect(get("/last"))
    assert rig.service.queued == 2
    leave(leaving)
    finish(rig, first, end)
    codes = [line["ended"] for line in rig.logged.lines if line["target"] == "/gone"]
    if "CQ" not in codes:
        assert rig.service.queued == 1
        end = end if keepalive == "split" else server.accept()
        server.hears(end, b"GET /gone ")
        end.sock.send(OK)
        if keepalive != "split":
            end.sock.close()
    rig.reactor.until(lambda: not rig.service.queued)
    end = end if keepalive == "split" else server.accept()
    server.hears(end, b"GET /last ")
    finish(rig, last, end)
    assert rig.loads == [0]


def test_a_reset_is_told_from_a_half_close(rig: FullRig) -> None:
    server = rig.server()
    rig.make(capacity=1)
    first = rig.connect()
    end = server.accept()
    gone, half = rig.connect(get("/gone")), rig.connect(get("/half"))
    reset(gone.sock)
    half.sock.shutdown(1)
    finish(rig, first, end)
    (line,) = [line for line in rig.logged.lines if line["ended"] != "--"]
    assert (line["target"], line["ended"], line["status"]) == ("/gone", "CQ", 0)
    server.hears(end, b"GET /half ")
    finish(rig, half, end)


def test_the_one_with_fewer_comes_first_and_all_fill_up(rig: FullRig) -> None:
    servers = [rig.server() for _ in range(3)]
    rig.make(keepalive="pin", capacity=2)
    for _ in range(7):
        rig.connect(HELLO + get())
        rig.reactor.settle()
    assert rig.loads == [2, 2, 2]
    assert rig.service.queued == 1
    assert [server.look() for server in servers] == [2, 2, 2]


@pytest.mark.parametrize("balance", ["round-robin", "random-two", "client"])
def test_every_way_of_balancing_heeds_it(rig: FullRig, balance: str) -> None:
    for _ in range(2):
        rig.server()
    rig.make(keepalive="pin", capacity=1, balance=balance)
    for _ in range(3):
        rig.connect(HELLO + get())
        rig.reactor.settle()
    assert rig.loads == [1, 1]
    assert rig.service.queued == 1


# -- the configuration


@pytest.mark.parametrize("wrong", ["0", "-1", '"many"', "1.5"])
def test_it_is_a_number_from_one(wrong: str) -> None:
    with pytest.raises(BadConfig, match=r"services\.app\.capacity"):
        parse(
            'listeners = [{address = "127.0.0.1:0"}]\nroutes = [{prefix = "/", service = "app"}]\n'
            f'services.app = {{target = "tcp", address = "127.0.0.1:1", capacity = {wrong}}}'
        )


def test_there_is_none_by_default(rig: FullRig) -> None:
    server = rig.server()
    rig.make(keepalive="pin")
    assert Tcp("a:1").capacity is None
    for _ in range(50):
        rig.connect()
    rig.reactor.settle()
    assert rig.replicas == [{"replica": server.name, "state": "ready", "open": 50}]
