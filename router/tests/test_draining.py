"""An operator drains one replica: nothing new goes there, what is live stays, and it lasts as long as the replica does."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from portico.application import Application
from portico.draining import NotThere, Undrainable

from .support.deployment import deployed, request
from .support.drainrig import HANDOFF, TCP, HandoffRig, Rig, TcpRig, config
from .support.reactor import HandReactor
from .support.wires import as_reactor, parse_response


@pytest.fixture(params=["handoff", "tcp"])
def rig(request: pytest.FixtureRequest, reactor: HandReactor, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    settings = {"handoff": HANDOFF, "tcp": TCP}[request.param]
    with deployed(reactor, folder, config(settings), request.param, monkeypatch) as deployment:
        rig = HandoffRig(deployment) if request.param == "handoff" else TcpRig(deployment, monkeypatch)
        assert rig.who() == {"one", "two"}
        yield rig
        for client in rig.clients:
            client.sock.close()


def test_nothing_new_goes_there(rig: Rig) -> None:
    rig.drain("one")
    assert rig.states() == {"one": "drained", "two": "ready"}
    assert rig.who() == {"two"}
    rig.drain("one")  # twice is as once
    rig.drain("one", False)
    assert rig.states() == {"one": "ready", "two": "ready"}
    assert rig.who() == {"one", "two"}
    rig.drain("one", False)


def test_what_is_live_stays(rig: Rig) -> None:
    client = rig.client()
    while (called := rig.ask(client)) != "one":
        client = rig.client()
    client.sock.send(request("/x", Content_Length="10") + b"01234")
    rig.reactor.settle()
    if not isinstance(rig, TcpRig):
        rig.drain(called)
    else:  # there each request goes where there is room
        for each in rig.names:
            rig.drain(each)
    client.data = b""
    client.sock.send(b"56789")
    rig.reactor.until(client.holds(b" 10."))


def test_kept_clients(rig: Rig) -> None:
    kept = [rig.client() for _ in range(4)]
    before = [rig.ask(client) for client in kept]
    assert set(before) == {"one", "two"}
    rig.drain("one")
    after = [rig.ask(client) for client in kept]
    assert after == (before if isinstance(rig, HandoffRig) else ["two"] * 4)


def test_all_are_drained(rig: Rig) -> None:
    for called in rig.names:
        rig.drain(called)
    waits, leaves = rig.client(), rig.client()
    for client in (waits, leaves):
        client.sock.send(request("/x"))
        rig.reactor.settle()
        rig.reactor.advance(2.0)
    assert rig.application._services["alpha"].queued == 2
    rig.reactor.advance(2.0)
    rig.reactor.until(waits.has_ended)
    assert parse_response(waits.data)[0].status == 503
    rig.drain("two", False)
    rig.reactor.until(leaves.holds(b"two /x"))


def test_it_ends_with_the_replica(rig: Rig) -> None:
    rig.drain("one")
    rig.loses("one")
    assert set(rig.states()) == {"two"}
    with pytest.raises(NotThere, match="alpha has no replica "):
        rig.drain("one")
    rig.gets_back("one")
    assert rig.states() == {"one": "ready", "two": "ready"}
    assert rig.who() == {"one", "two"}


def test_it_outlasts_reloads(rig: Rig) -> None:
    rig.drain("one")
    changes: list[dict[str, float]] = [{}, {"queue_timeout": 7.0}, {"head_size": 4_096}]
    for number, limits in enumerate(changes):
        options = f'\nbalance = "{("round-robin", "random-two", "least-connections")[number]}"'
        rig.deployment.reload(config(rig.settings, **limits))
        rig.deployment.look()
        assert rig.who() == {"two"}
        rig.deployment.reload(config(rig.settings + options, **limits))
        rig.deployment.look()
        assert rig.who() == {"two"}
        assert rig.states() == {"one": "drained", "two": "ready"}
    rig.drain("one", False)
    assert rig.who() == {"one", "two"}


@pytest.mark.parametrize("drained", [True, False])
def test_who_is_not_there(rig: Rig, drained: bool) -> None:
    with pytest.raises(NotThere, match="there is no service beta"):
        rig.application.drain("beta", "one", drained)
    with pytest.raises(NotThere, match=r"alpha has no replica 10\.0\.0\.1:80"):
        rig.application.drain("alpha", "10.0.0.1:80", drained)


def test_a_service_in_this_process_cannot_be_drained(
    reactor: HandReactor, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with deployed(reactor, folder, config(HANDOFF), "in-process", monkeypatch) as deployment:
        with pytest.raises(Undrainable, match="alpha runs in the router's process"):
            deployment.application.drain("alpha", "this process", True)
        with pytest.raises(NotThere, match="alpha has no replica one"):
            deployment.application.drain("alpha", "one", True)


def test_a_router_that_starts_beside_another_is_told_what_is_drained(rig: Rig) -> None:
    """As a worker is. It has found no replica by then; when it does, they are drained."""
    rig.drain("one")
    services: Any = rig.application.status()["services"]
    rig.application = Application(rig.deployment.parsed(config(rig.settings)), as_reactor(rig.reactor))
    rig.application._assembly._resolver._run = lambda call: call()
    rig.application.inherit({"alpha": services["alpha"]["drained"], "gone": ["one"]})
    rig.application.privilegedStartService()
    rig.application.startService()
    rig.reactor.settle()
    assert rig.who() == {"two"}
    assert rig.states() == {"one": "drained", "two": "ready"}
    rig.drain("one", False)
    assert rig.who() == {"one", "two"}
    stopped: list[object] = []
    rig.application.stopService().addCallback(stopped.append)

    def has_stopped() -> bool:
        rig.reactor.advance(0.1)
        return bool(stopped)

    rig.reactor.until(has_stopped)


# -- handoff only


def test_a_replica_whose_link_was_given_up_stays_drained(
    reactor: HandReactor, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with deployed(reactor, folder, config(HANDOFF), "handoff", monkeypatch) as deployment:
        rig = HandoffRig(deployment)
        rig.drain("one")
        target: Any = rig.application._services["alpha"].target
        (link,) = [link for link in target._links.values() if link.replica == "one"]
        target._give_up(link)
        reactor.settle()
        assert set(rig.states()) == {"two"}
        for _ in range(8):
            deployment.look()
        assert rig.states() == {"one": "drained", "two": "ready"}


# -- tcp only


@pytest.fixture
def tcp(reactor: HandReactor, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TcpRig]:
    with deployed(reactor, folder, config(TCP), "tcp", monkeypatch) as deployment:
        rig = TcpRig(deployment, monkeypatch)
        yield rig
        for client in rig.clients:
            client.sock.close()


def test_idle_connections_to_it_are_closed(tcp: TcpRig) -> None:
    tcp.who()
    split = tcp.application._services["alpha"].target._split  # type: ignore[attr-defined]
    before = len(split.pool)
    tcp.drain("one")
    assert 0 < len(split.pool) < before
    assert {backend.replica.name for idle in split.pool._idle.values() for backend in idle} == {tcp.names["two"]}


def test_while_it_rests_what_may_be_there_can_be_drained(tcp: TcpRig) -> None:
    tcp.there = {"one": ("127.0.0.1", 80), "two": tcp.servers["two"]}
    with pytest.raises(NotThere):  # another port than the service's
        tcp.application.drain("alpha", "127.0.0.1:81", True)
    with pytest.raises(NotThere):
        tcp.application.drain("alpha", "one", True)
    tcp.application.drain("alpha", "127.0.0.1:80", True)
    tcp.application.drain("alpha", "127.0.0.9:80", True)
    assert tcp.who() == {"two"}
    assert tcp.application._services["alpha"].target.drained == {"127.0.0.1:80"}  # the other one is not there


def test_a_rest_does_not_end_it(tcp: TcpRig) -> None:
    tcp.who()
    tcp.drain("one")
    tcp.reactor.pump([1.0] * 70)
    assert tcp.states() == {"one": "drained", "two": "resting"}
    assert tcp.who() == {"two"}
