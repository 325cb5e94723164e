"""What targets that hand back have in common, and what each of them has for itself."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from portico.patience import Hurry
from portico.poller import Poller
from portico.targets.handoff import SCAN_INTERVAL

from .support.alltargets import ALL
from .support.echo import Declining
from .support.reactor import HandReactor
from .support.ways import HEAD, PREFIXES, HandoffWays, InProcessWays, Ways, open_of, running
from .support.wires import Logged, parse_response


@pytest.fixture(params=[kind for kind in ALL if ALL[kind].hands_back])
def returning(
    request: pytest.FixtureRequest, reactor: HandReactor, poller: Poller, logged: Logged, folder: Path
) -> Iterator[Ways]:
    yield from running(ALL[request.param], reactor, poller, logged, folder)


@pytest.fixture
def handoff(reactor: HandReactor, poller: Poller, logged: Logged, folder: Path) -> Iterator[Ways]:
    yield from running(HandoffWays, reactor, poller, logged, folder)


def ask(path: bytes, more: bytes = b"") -> bytes:
    return b"GET %s HTTP/1.1\r\nHost: h\r\n%s\r\n" % (path, more)


# -- keep-alive across services: in-process and handoff


def test_two_services_on_one_connection(returning: Ways) -> None:
    for _, name in PREFIXES:
        returning.serve(name, http=True)
    client = returning.connect(ask(b"/a/1"))
    host = client.sock.getsockname()[0].encode()
    for path, owner in ((b"/a/1", b"alpha"), (b"/b/2", b"beta"), (b"/b/3", b"beta"), (b"/a/4", b"alpha"), (b"/b/5", b"beta")):
        if path != b"/a/1":
            client.sock.send(ask(path))
        returning.until(client, b"%s %s %s " % (owner, path, host))
    assert client.data.count(b"HTTP/1.1 200 OK") == 5
    assert returning.router.counts == {"accepted": 1, "returned": 3}
    lines = returning.logged.lines
    assert [(line["service"], line["target"], line["returned"]) for line in lines] == [
        ("alpha", "/a/1", False),
        ("beta", "/b/2", True),
        ("alpha", "/a/4", True),
        ("beta", "/b/5", True),
    ]


def test_pipelined_requests_for_two_services_are_answered_in_order(returning: Ways) -> None:
    for _, name in PREFIXES:
        returning.serve(name, http=True)
    post = b"POST /b/2 HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody"
    client = returning.connect(ask(b"/a/1") + post + ask(b"/a/3") + ask(b"/a/4") + ask(b"/b/5", b"Connection: close\r\n"))
    returning.hands.until(client.has_ended)
    found = [
        client.data.find(text) for text in (b"alpha /a/1", b"beta /b/2", b"body", b"alpha /a/3", b"alpha /a/4", b"beta /b/5")
    ]
    assert found == sorted(found)
    assert -1 not in found
    assert client.data.count(b"HTTP/1.1 200 OK") == 5


def test_a_path_that_nobody_owns_on_a_kept_connection(returning: Ways) -> None:
    returning.serve("alpha", http=True)
    client = returning.connect(ask(b"/a/1"))
    returning.until(client, b"alpha /a/1")
    client.sock.send(ask(b"/c/2"))
    returning.hands.until(client.has_ended)
    assert b"HTTP/1.1 404 Not Found" in client.data


def test_a_kept_connection_that_is_handed_back_by_bytes(returning: Ways) -> None:
    for _, name in PREFIXES:
        returning.serve(name, http=True)
    client = returning.connect(ask(b"/a/1"))
    returning.until(client, b"alpha /a/1")
    request = ask(b"/b/2")
    for at in range(len(request)):
        client.sock.send(request[at : at + 1])
        returning.hands.settle()
    returning.until(client, b"beta /b/2")


def test_an_idle_connection_that_comes_back_while_the_router_drains(
    reactor: HandReactor, poller: Poller, logged: Logged, folder: Path
) -> None:
    ways = InProcessWays(reactor, poller, logged, folder)
    service = ways.serve("alpha", http=True)
    client = ways.connect(ask(b"/a/1"))
    ways.until(client, b"alpha /a/1")
    ways.router.patience.drain(Hurry(1.0, 5.0))
    done: list[None] = []
    service.target.stop().addCallback(done.append)
    ways.hands.settle()
    ways.hands.advance(1.0)
    ways.hands.until(client.has_ended)  # soon: nobody waits long for another request
    assert len(ways.router.patience) == 0
    ways.hands.until(lambda: done)
    ways.close()


# -- handoff only


def test_without_a_replica_it_is_held_and_then_served(handoff: HandoffWays) -> None:
    handoff.target_of("alpha")
    client = handoff.connect(HEAD)
    handoff.hands.advance(3)
    handoff.replica("alpha", "late")
    assert handoff.until(client, HEAD).partition(b"\n")[2] == HEAD


def test_without_a_replica_for_too_long(handoff: HandoffWays) -> None:
    handoff.target_of("alpha")
    client = handoff.connect(HEAD)
    handoff.hands.pump([SCAN_INTERVAL] * 26)
    handoff.hands.until(client.has_ended)
    response, _ = parse_response(client.data)
    assert response.status == 503
    assert response.headers["Retry-After"]


def test_scaling_down_cuts_nobody_and_the_next_goes_to_another_replica(handoff: HandoffWays) -> None:
    handoff.target_of("alpha")
    one = handoff.replica("alpha", "one", http=True)
    client = handoff.connect(ask(b"/a/1"))
    handoff.until(client, b"alpha /a/1")
    handoff.replica("alpha", "two", http=True)
    drained: list[object] = []
    one.stopService().addCallback(drained.append)
    handoff.hands.until(lambda: drained)
    assert not client.has_ended()
    client.sock.send(ask(b"/a/2"))
    handoff.until(client, b"alpha /a/2")
    assert [line["replica"] for line in handoff.logged.lines] == ["one", "two"]


def test_replicas_share_the_load(handoff: HandoffWays) -> None:
    service = handoff.target_of("alpha")
    for name in ("one", "two", "three"):
        handoff.replica("alpha", name)
    for _ in range(9):
        handoff.until(handoff.connect(HEAD), HEAD)
    handoff.hands.advance(0.1)
    assert open_of(service) == [3, 3, 3]


# -- in-process only


def test_a_factory_that_declines_closes(reactor: HandReactor, poller: Poller, logged: Logged, folder: Path) -> None:
    ways = InProcessWays(reactor, poller, logged, folder)
    ways.factory = lambda name, http: Declining()  # type: ignore[method-assign]
    ways.serve("alpha")
    client = ways.connect(HEAD)
    ways.hands.until(client.has_ended)
    assert client.data == b""
    ways.close()
