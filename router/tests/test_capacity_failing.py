"""Full addresses beside some that do not accept: no 502 while somebody may have room in time."""

import errno
from collections.abc import Iterator

import pytest
from portico.poller import Poller
from portico.targets.connect import Connecting
from portico.targets.split import SWEEP_INTERVAL

from .support.places import KEEPALIVE, QUEUE, FullRig, finish, full, get, status_of
from .support.reactor import HandReactor
from .support.wires import Inbox, Logged


@pytest.fixture
def rig(reactor: HandReactor, poller: Poller, logged: Logged) -> Iterator[FullRig]:
    yield from full(reactor, poller, logged)


@pytest.fixture
def attempts(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The addresses that were tried, one after the other."""
    made: list[str] = []
    real = Connecting._open

    def opened(self: Connecting, replica: object) -> object:
        made.append(replica.name)  # type: ignore[attr-defined]
        return real(self, replica)  # type: ignore[arg-type]

    monkeypatch.setattr(Connecting, "_open", opened)
    yield made


def filled(rig: FullRig, **settings: object) -> tuple[Inbox, Inbox]:
    """Of two addresses the first is full and the other refuses; the first one's client, and its end at the server."""
    server, dead = rig.server(), rig.server()
    rig.make(capacity=1, **settings)
    client = rig.connect(get("/long"))
    end = server.accept()
    server.hears(end, b"GET /long ")
    dead.stop()
    return client, end


@pytest.mark.parametrize("keepalive", KEEPALIVE)
def test_a_full_address_is_waited_for_when_the_other_refuses(rig: FullRig, keepalive: str, attempts: list[str]) -> None:
    client, end = filled(rig, keepalive=keepalive)
    waiting = rig.connect(get("/next", "X: y\r\n"))
    rig.reactor.settle()
    assert (rig.service.queued, rig.loads) == (1, [1, 0])
    assert len(attempts) == 2  # the first client's, and one at the address that refuses
    finish(rig, client, end)
    server = rig.servers[0]
    end = end if keepalive == "split" else server.accept()
    server.hears(end, b"GET /next ")
    finish(rig, waiting, end)
    assert rig.loads == [0, 0]
    assert [line["status"] for line in rig.logged.lines if line["status"]] == []


@pytest.mark.parametrize("keepalive", KEEPALIVE)
def test_but_no_longer_than_the_queue_allows_in_all(rig: FullRig, keepalive: str, attempts: list[str]) -> None:
    filled(rig, keepalive=keepalive, eject_after=1_000)
    before = len(attempts)
    waiting = rig.connect()
    rig.reactor.settle()
    for _ in range(10):
        rig.reactor.advance((QUEUE - 0.5) / 10)
        rig.reactor.settle()
        assert waiting.read() == b""
    assert 3 <= len(attempts) - before <= QUEUE / SWEEP_INTERVAL + 1  # tried again now and then
    rig.reactor.advance(0.6)
    assert status_of(rig, waiting) == 503
    assert (rig.service.queued, rig.loads) == (0, [1, 0])


def test_a_later_request_of_a_kept_client_with_a_body_to_come_waits_too(rig: FullRig) -> None:
    server = rig.server()
    rig.make(capacity=1, eject_after=1)
    client = rig.connect(get("/1"))
    end = server.accept()
    finish(rig, client, end)
    dead = rig.server()
    rig.target.replicas.found([server.at, dead.at])
    dead.stop()
    other = rig.connect(get("/long"))
    server.hears(end, b"GET /long ")
    request = get("/put", "Content-Length: 6\r\n", "PUT") + b"abc"
    client.sock.send(request)
    rig.reactor.until(lambda: rig.service.queued)
    client.sock.send(b"def" + get("/last"))
    rig.reactor.settle()
    finish(rig, other, end)
    rig.reactor.until(end.holds(b"abcdef"))
    assert end.data.startswith(b"PUT /put ")
    end.data = b""
    finish(rig, client, end)
    server.hears(end, b"GET /last ")
    finish(rig, client, end)
    lines = [line for line in rig.logged.lines if line["target"] in ("/1", "/put", "/last")]
    assert [(line["status"], line["ended"]) for line in lines] == [(None, "--")] * len(lines)
    assert [line["returned"] for line in lines[1:]] == [True] * (len(lines) - 1)


def test_one_that_accepts_again_is_found_while_the_other_is_full_for_long(rig: FullRig) -> None:
    filled(rig, keepalive="pin", eject_after=1_000)
    waiting = rig.connect(get("/next"))
    rig.reactor.settle()
    again = rig.servers[1].again()
    rig.servers.append(again)
    rig.reactor.advance(SWEEP_INTERVAL)
    again.hears(again.accept(), b"GET /next ")
    assert rig.service.queued == 0
    waiting.sock.close()


def test_where_all_refuse_nobody_waits(rig: FullRig) -> None:
    for server in (rig.server(), rig.server()):
        server.stop()
    rig.make(capacity=1)
    assert status_of(rig, rig.connect()) == 502
    assert rig.loads == [0, 0]


def test_an_ejected_one_is_left_alone_while_others_are_full(rig: FullRig, attempts: list[str]) -> None:
    client, end = filled(rig, eject_after=1, eject_time=60.0)
    rig.connect(get("/a"))
    rig.reactor.settle()
    assert rig.states == ["full", "ejected"]
    before = len(attempts)
    rig.connect(get("/b"))
    rig.reactor.pump([1.0] * 2)
    assert (rig.service.queued, len(attempts)) == (2, before)
    finish(rig, client, end)
    rig.servers[0].hears(end, b"GET /a ")


def test_one_that_is_full_by_now_is_passed_over(rig: FullRig) -> None:
    """The order was made when it had room, and another connection went there while the first choice kept us waiting."""
    first, second = rig.server(), rig.server()
    target = rig.make(capacity=1, keepalive="pin", connect_timeout=1.0)
    replicas = {replica.name: replica for replica in target.replicas.usable}
    came: list[object] = []
    connecting = Connecting(
        iter(list(replicas.values())),
        1.0,
        rig.poller,
        rig.reactor,  # type: ignore[arg-type]
        lambda *found: came.append(found),
        came.append,
    )
    replicas[second.name].load = 1
    first.stop()
    connecting.next()
    rig.reactor.until(lambda: came)
    assert connecting.tried == (replicas[first.name],)
    assert target.replicas.untried(connecting.tried) == [replicas[second.name]]
    replicas[second.name].load = 0


def test_without_a_descriptor_nobody_waits(rig: FullRig, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(rig)

    def none_left(self: Connecting, replica: object) -> None:
        raise OSError(errno.EMFILE, "none left")

    monkeypatch.setattr(Connecting, "_open", none_left)
    assert status_of(rig, rig.connect()) == 502
