"""A router that ends: nothing is taken back once it leaves, what it has is placed, and all links end together."""

import socket
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from portico.application import Application
from portico.arrival import Arrival, HandedBack
from portico.config import parse
from portico.link import Link
from portico.targets.handoff import SCAN_INTERVAL
from svckit.handoff.codec import Connection, Farewell, Taken

from .support.linkrig import HandReplica
from .support.reactor import HandReactor
from .support.wires import Inbox, arrive, as_reactor

CONFIG = """
listeners = [{address = "127.0.0.1:0"}]
routes = [{prefix = "/a/", service = "a"}, {prefix = "/b/", service = "b"}]

[services.a]
target = "handoff"
folder = "%s/a"

[services.b]
target = "handoff"
folder = "%s/b"
"""
TAKE_TIMEOUT = 2.0


def head(service: str) -> bytes:
    return f"GET /{service}/x HTTP/1.1\r\nHost: h\r\n\r\n".encode()


class Pair:
    """A router, with one replica played by hand for each of two services."""

    def __init__(self, reactor: HandReactor, folder: Path) -> None:
        self.reactor = reactor
        for name in "ab":
            (folder / name).mkdir()
        self.a, self.b = (HandReplica(folder / name, "one", name) for name in "ab")
        self.application = Application(parse(CONFIG % (folder, folder)), as_reactor(reactor))
        self.application.access._stream = StringIO()
        self.application.privilegedStartService()
        self.application.startService()
        reactor.advance(SCAN_INTERVAL)
        for replica in (self.a, self.b):
            replica.greet()
        reactor.settle()
        for replica in (self.a, self.b):
            replica.hear()
        self.stopped: list[object] = []
        self.socks: list[socket.socket] = []

    def come(self, preface: bytes) -> tuple[Inbox, Arrival]:
        client, arrival = arrive(preface)
        self.socks.append(client)
        return Inbox(client), arrival

    def hand_back(self, replica: HandReplica, unread: bytes) -> Inbox:
        """The replica's own descriptor is closed, as that of one that is about to die."""
        inbox, arrival = self.come(b"")
        replica.hand_back(1, arrival.sock.fileno(), unread)
        self.kept = arrival
        return inbox

    def stop(self) -> None:
        self.application.stopService().addCallback(self.stopped.append)


@pytest.fixture
def pair(reactor: HandReactor, folder: Path) -> Iterator[Pair]:
    pair = Pair(reactor, folder)
    yield pair
    if not pair.stopped:
        if pair.application.running:
            pair.stop()
        reactor.pump([0.5] * 10)
    for replica in (pair.a, pair.b):
        replica.die()
    for sock in pair.socks:
        sock.close()


def test_what_comes_back_when_the_router_ends_stays_the_replica_s(reactor: HandReactor, pair: Pair) -> None:
    client = pair.hand_back(pair.a, head("b"))  # not read yet
    pair.stop()
    reactor.until(lambda: pair.stopped)
    assert pair.a.hear() == [Farewell()]  # no TAKEN: it goes to another router
    assert pair.a.ended()
    assert [type(each) for each in pair.b.hear()] == [Farewell]
    assert pair.application.router.counts["returned"] == 0
    assert not client.has_ended()
    pair.kept.close()


def test_links_end_together_when_all_is_placed(reactor: HandReactor, pair: Pair) -> None:
    _, arrival = pair.come(head("b"))
    pair.application.router.admit(arrival)
    pair.stop()
    client = pair.hand_back(pair.a, head("b"))
    reactor.settle()
    assert not pair.a.ended()
    assert pair.stopped == []
    assert [type(each) for each in pair.b.hear()] == [Connection]
    pair.b.send(Taken(1, 1))
    reactor.until(lambda: pair.stopped)
    assert pair.a.hear() == [Farewell()]
    assert not client.has_ended()
    pair.kept.close()


def test_what_a_replica_leaves_that_dies_meanwhile_finds_its_service(reactor: HandReactor, pair: Pair) -> None:
    _, arrival = pair.come(head("b"))
    pair.application.router.admit(arrival)
    pair.stop()
    client = pair.hand_back(pair.a, head("b"))
    reactor.settle()
    pair.kept.close()
    pair.a.die()
    reactor.settle()
    pair.b.send(Taken(1, 1))
    reactor.settle()
    assert pair.stopped == []  # the links wait for that one too
    assert [each.unread for each in pair.b.hear() if isinstance(each, Connection)] == [head("b")] * 2
    pair.b.send(Taken(2, 2))
    reactor.until(lambda: pair.stopped)
    assert not client.has_ended()


def test_what_waits_for_room_is_placed_first(reactor: HandReactor, pair: Pair) -> None:
    link = next(iter(pair.application._services["b"].target._links.values()))  # type: ignore[attr-defined]
    _, arrival = pair.come(head("b"))
    link._block()  # as when its queue is full
    pair.application.router.admit(arrival)
    pair.stop()
    assert pair.stopped == []
    reactor.settle()  # there is room
    assert [type(each) for each in pair.b.hear()] == [Connection]
    pair.b.send(Taken(1, 1))
    reactor.until(lambda: pair.stopped)


def test_a_full_replica_is_not_waited_for_for_ever(reactor: HandReactor, pair: Pair) -> None:
    link = next(iter(pair.application._services["b"].target._links.values()))  # type: ignore[attr-defined]
    client, arrival = pair.come(head("b"))
    link.connecting = True  # it will never be ready
    link.since = 1e9
    pair.application.router.admit(arrival)
    pair.stop()
    reactor.advance(TAKE_TIMEOUT - SCAN_INTERVAL)
    assert pair.stopped == []
    reactor.pump([SCAN_INTERVAL] * 2)
    reactor.until(lambda: pair.stopped)
    reactor.until(client.has_ended)
    assert client.data.startswith(b"HTTP/1.1 503")


def test_nothing_is_offered_to_a_link_that_is_being_revoked(reactor: HandReactor, pair: Pair) -> None:
    link = next(iter(pair.application._services["a"].target._links.values()))  # type: ignore[attr-defined]
    willing: list[bool] = []
    pair.hand_back(pair.a, head("a"))

    def returned(link: Link, arrivals: list[HandedBack]) -> None:
        willing.append(link.willing)
        for each in arrivals:
            each.close()

    link._owner.returned = returned
    link.revoke()
    assert willing == [False]
    pair.kept.close()
