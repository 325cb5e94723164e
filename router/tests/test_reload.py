"""A new configuration in place: what is new holds, what lives goes on, and a bad one changes nothing."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from .support.deployment import KINDS, deployed, request
from .support.reactor import HandReactor
from .support.reloading import Ways, config


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def ways(kind: str, reactor: HandReactor, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ways]:
    with deployed(reactor, folder, config(), kind, monkeypatch) as deployment:
        ways = Ways(deployment, kind)
        yield ways
        for client in ways.clients:
            client.close()


# -- routes and services


def test_replicas_that_stay_with_another_service_of_the_name_keep_their_routes(
    reactor: HandReactor, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alpha = '[services.alpha]\ntarget = "handoff"\nfolder = "FOLDER/alpha"\n'
    with deployed(reactor, folder, config("/a/ alpha", services=alpha), "handoff", monkeypatch) as deployment:
        ways = Ways(deployment, "handoff")
        replica = deployment.replica("alpha")
        kept = ways.connect()
        assert ways.ask(kept, "/a/x") == "alpha"
        for number in range(3):
            changed = alpha + f"options = {{number = {number}}}\n"
            ways.reload(config("/a/ alpha", services=changed))
            assert replica.ownership.patterns == (("/a/", True),)
            assert ways.ask(kept, "/a/x") == "alpha"
            assert ways.ask(ways.connect(), "/a/x") == "alpha"
        kept.sock.send(request("/none"))
        reactor.until(kept.has_ended)
        assert b"HTTP/1.1 404 " in kept.data  # it came back
        kept.sock.close()


def test_routes_come_and_go(ways: Ways) -> None:
    services = ways.service("alpha") + ways.service("beta")
    ways.reload(config("/a/ alpha", services=services))
    kept = ways.connect()
    assert ways.ask(kept, "/a/x") == "alpha"
    ways.reload(config("/a/ alpha", "/a/deep/ beta", "/b/ beta", services=services))
    assert ways.ask(kept, "/b/x") == "beta"
    assert ways.ask(kept, "/a/deep/x") == "beta"
    assert ways.ask(kept, "/a/x") == "alpha"
    ways.reload(config("/a/ beta", services=services))
    assert ways.ask(kept, "/a/x") == "beta"  # the same connection, and the guard of alpha knows
    assert ways.status_of(kept, "/b/x") == b"404"


def test_a_service_is_removed_and_its_connections_go_on(ways: Ways) -> None:
    alpha, beta = ways.service("alpha"), ways.service("beta")
    ways.reload(config("/a/ alpha", "/b/ beta", services=alpha + beta))
    under_way, kept, other = ways.connect(), ways.connect(), ways.connect()
    under_way.sock.send(request("/a/x", Content_Length="10") + b"01234")
    assert ways.ask(kept, "/a/x") == "alpha"
    assert ways.ask(other, "/b/x") == "beta"
    ways.reactor.settle()
    ways.reload(config("/b/ beta", services=beta))
    ways.reactor.pump([1.0] * 5)  # longer than a drain may take
    under_way.sock.send(b"56789")
    ways.reactor.until(under_way.holds(b" 10."))
    assert under_way.data.startswith(b"HTTP/1.1 200 ")
    assert ways.ask(under_way, "/b/x") == "beta"
    assert ways.ask(kept, "/b/x") == "beta"  # not cut, not answered by the wrong one
    assert ways.ask(other, "/b/x") == "beta"
    assert ways.status_of(kept, "/a/x") == b"404"
    services = ways.deployment.application.status()["services"]
    assert isinstance(services, dict)
    assert list(services) == ["beta"]


def test_a_service_is_changed_and_its_connections_go_on(ways: Ways) -> None:
    ways.reload(config("/a/ alpha", services=ways.service("alpha", "old")))
    under_way, kept = ways.connect(), ways.connect()
    under_way.sock.send(request("/a/x", Content_Length="10") + b"01234")
    assert ways.ask(kept, "/a/x") == "old"
    ways.reactor.settle()
    ways.reload(config("/a/ alpha", services=ways.service("alpha", "new")))
    assert ways.ask(ways.connect(), "/a/x") == "new"
    ways.reactor.pump([1.0] * 5)
    under_way.sock.send(b"56789")
    ways.reactor.until(under_way.holds(b" 10."))
    assert b"old /a/x" in under_way.data
    assert ways.ask(kept, "/a/x") == "new"
    assert ways.ask(ways.connect(), "/a/x") == "new"


def test_what_has_left_leaves_nothing(ways: Ways) -> None:
    empty = config()
    services = ways.service("alpha")
    ways.reload(config("/a/ alpha", services=services))
    client = ways.connect()
    assert ways.ask(client, "/a/x") == "alpha"
    ways.reload(empty)
    assert len(ways.deployment.application._leaving) == 1
    client.sock.close()
    ways.reactor.settle()
    ways.reactor.pump([0.5] * 4)
    ways.deployment.look()
    assert ways.deployment.application._leaving == []


def test_a_service_that_has_not_changed_is_not_made_again(ways: Ways) -> None:
    services = ways.service("alpha")
    ways.reload(config("/a/ alpha", services=services))
    before, made = ways.deployment.application._services["alpha"], list(ways.deployment.made)
    for _ in range(3):
        ways.reload(config("/a/ alpha", "/b/ alpha", services=services))
    assert ways.deployment.application._services["alpha"] is before
    assert ways.deployment.made == made


def test_limits_change(ways: Ways) -> None:
    services = ways.service("alpha")
    ways.reload(config("/a/ alpha", services=services))
    kept = ways.connect()
    assert ways.ask(kept, "/a/x") == "alpha"
    big = f"/a/{'x' * 1_000}"
    assert ways.ask(ways.connect(), big) == "alpha"
    ways.reload(config("/a/ alpha", services=services, limits="head_size = 300\nhead_deadline = 1.0"))
    assert ways.status_of(ways.connect(), big) == b"431"
    slow = ways.connect()
    slow.sock.send(b"GET /a/")
    ways.reactor.settle()
    ways.reactor.advance(1.1)
    ways.reactor.until(slow.has_ended)
    assert slow.data.startswith(b"HTTP/1.1 408 ")
    assert ways.ask(kept, "/a/y") == "alpha"


def test_those_that_wait_for_a_replica_find_the_new_service(
    reactor: HandReactor, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = '[services.alpha]\ntarget = "handoff"\nfolder = "FOLDER/nobody"\n'
    with deployed(reactor, folder, config("/a/ alpha", services=nobody), "handoff", monkeypatch) as deployment:
        ways = Ways(deployment, "handoff")
        client = ways.connect()
        client.sock.send(request("/a/x"))
        reactor.until(lambda: deployment.application._services["alpha"].queued)
        ways.reload(config("/a/ alpha", services=ways.service("alpha", "new")))
        reactor.until(client.holds(b"new /a/x"))
        client.sock.close()


def test_the_time_to_take_changes_for_replicas_that_are_linked(
    reactor: HandReactor, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alpha = '[services.alpha]\ntarget = "handoff"\nfolder = "FOLDER/alpha"\n'
    with deployed(reactor, folder, config("/a/ alpha", services=alpha), "handoff", monkeypatch) as deployment:
        deployment.reload(config("/a/ alpha", services=alpha, limits="take_timeout = 0.7"))
        target = deployment.application._services["alpha"].target
        assert target._take_timeout == 0.7  # type: ignore[attr-defined]


def test_a_drain_after_a_reload_waits_for_what_has_left_too(ways: Ways) -> None:
    ways.reload(config("/a/ alpha", services=ways.service("alpha")))
    client = ways.connect()
    client.sock.send(request("/a/x", Content_Length="10") + b"01234")
    ways.reactor.settle()
    ways.reload(config())
    ways.deployment.stop()
    ways.reactor.settle()
    if ways.kind != "handoff":  # there the replica has it
        assert ways.deployment.stopped == []
    client.sock.send(b"56789")
    ways.reactor.until(client.holds(b" 10."))
    client.sock.close()
    ways.reactor.until(lambda: ways.deployment.stopped)
