"""What is held comes back to nothing after every way out of the router, whatever the target."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from portico.core.proxyprotocol import encode_v2

from .support.authority import write_pair
from .support.counted import PROXY, SOURCE, TLS, Counted, configuration
from .support.deployment import KINDS, deployed, request
from .support.leaving import WAYS, finds_the_replica_dead, is_cut_when_the_drain_is_over, lives_when_the_router_drains
from .support.reactor import HandReactor


@pytest.fixture(params=KINDS)
def counted(
    request: pytest.FixtureRequest, reactor: HandReactor, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Counted]:
    write_pair(folder / "one.pem", folder / "one.pem", "one.example")
    kind: str = request.param
    with deployed(reactor, folder, configuration(kind), kind, monkeypatch) as deployment:
        yield Counted(deployment, kind)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_a_client_that(counted: Counted, way: Callable[[Counted], None]) -> None:
    way(counted)
    counted.nothing_is_left()


def test_all_ways_at_once(counted: Counted) -> None:
    """One after the other on one router, so that nothing small adds up."""
    for way in WAYS:
        if way not in (lives_when_the_router_drains, is_cut_when_the_drain_is_over, finds_the_replica_dead):
            way(counted)
            counted.pass_time(3.0)
    counted.nothing_is_left()


def test_each_client_has_so_many_and_a_reload_changes_it(counted: Counted) -> None:
    deployment = counted.deployment
    counted.reload("client_connections = 2")
    clients = [counted.arrives(b"GET /") for _ in range(2)]
    counted.ends(counted.connect(request("/a/x")), 429)
    counted.ends(counted.connect(b"", TLS))
    named = counted.connect(encode_v2(SOURCE, ("198.51.100.1", 80)), PROXY)
    assert deployment.ask(named, "/a/x").startswith("alpha ")  # another client, and its sender does not count
    counted.reload()
    third = counted.arrives(b"GET /")
    counted.reload("client_connections = 2")
    clients.pop().sock.close()
    counted.reactor.until(lambda: counted.places.of("127.0.0.1") == 2)
    counted.ends(counted.connect(request("/a/x")), 429)  # those from between count too
    for client in (*clients, third, named):
        client.sock.close()
    counted.nothing_is_left()


def test_when_all_places_are_taken_the_next_wait_and_lose_nothing(counted: Counted) -> None:
    deployment, places = counted.deployment, counted.places
    counted.reload("connections = 2")
    holding = [counted.arrives(b"GET /") for _ in range(2)]
    waiting = [counted.connect(request("/a/x", Connection="close")) for _ in range(5)]
    counted.reactor.settle()
    assert places.held == 2
    assert deployment.application.status()["pauses"] == {"connections": 1}
    assert not any(client.read() for client in waiting)
    holding.pop().sock.close()
    for client in waiting:
        counted.ends(client, 200)
    holding.pop().sock.close()
    counted.nothing_is_left()


def test_a_reload_makes_room(counted: Counted) -> None:
    counted.reload("connections = 1")
    holding = counted.arrives(b"GET /")
    waiting = counted.connect(request("/a/x", Connection="close"))
    counted.reactor.settle()
    assert not waiting.read()
    counted.reload("connections = 2")
    counted.ends(waiting, 200)
    holding.sock.close()


def test_a_drain_lets_in_what_waits_for_room(counted: Counted) -> None:
    counted.reload("connections = 1")
    holding = counted.arrives(b"GET /a/x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n")
    waiting = counted.connect(request("/a/x", Connection="close"))
    counted.reactor.settle()
    counted.deployment.stop()
    if counted.kind == "handoff":  # the others serve no new request any more
        counted.ends(waiting, 200)
    counted.reactor.until(waiting.has_ended)
    waiting.sock.close()
    holding.sock.close()


def test_status_says_how_many(counted: Counted) -> None:
    client = counted.arrives(b"GET /")
    assert counted.deployment.application.status()["held"] == 1
    assert counted.deployment.application.report().held == 1
    client.sock.close()
