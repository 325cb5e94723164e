"""A replica that wants the router to wait: sockets whose last close(2) blocks (SO_LINGER), and where the router closes them."""

import os
import socket
import struct
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
from portico.arrival import Arrival, HandedBack
from portico.balancing import Balancer
from portico.config import Handoff, Limits
from portico.link import Link
from portico.poller import Poller
from portico.provenance import Provenance
from portico.service import RoutedService
from portico.targets.handoff import SCAN_INTERVAL, HandoffTarget
from svckit.handoff import socketfile
from svckit.handoff.codec import VERSION, Connection, Draining, Hello, Load, Taken, encode

from .support.reactor import HandReactor
from .support.wires import LISTENER, Answers, Logged, arrive, as_reactor, tcp_pair

HEAD = b"GET /static/x HTTP/1.1\r\nHost: h\r\n\r\n"
HELLO = encode(Hello(VERSION, 100, "static", "one"))
NONSENSE = b"\xff"
LONG = struct.pack("ii", 1, 1_000)


def close_waits(sock: socket.socket) -> bool:
    return all(struct.unpack("ii", sock.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8)))


class Lingering:
    """A connection that the replica has given away; we keep a copy to see what the router leaves on it, and its other end."""

    def __init__(self) -> None:
        self.client, self.given = tcp_pair()
        self.given.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LONG)
        self.kept = socket.socket(fileno=os.dup(self.given.fileno()))

    @property
    def waits(self) -> bool:
        return close_waits(self.kept)

    @property
    def is_closed(self) -> bool:
        """Everywhere but here."""
        self.given.close()
        self.kept.close()
        self.client.settimeout(10)
        return self.client.recv(1) == b""

    def close(self) -> None:
        for sock in (self.client, self.given, self.kept):
            sock.close()


@pytest.fixture
def lingering() -> Iterator[list[Lingering]]:
    made = [Lingering() for _ in range(6)]
    yield made
    for each in made:
        each.close()


class Owner:
    """Whom the link tells."""

    def __init__(self) -> None:
        self.over = False

    def ready(self, link: Link) -> None: ...

    def taken(self, link: Link, arrivals: list[Arrival]) -> None: ...

    def returned(self, link: Link, arrivals: list[HandedBack]) -> None:
        for arrival in arrivals:
            arrival.close()

    def ended(self, link: Link, reclaimed: list[Arrival]) -> None:
        self.over = True


class Hostile:
    """The replica's end of a link."""

    def __init__(self, reactor: HandReactor, poller: Poller) -> None:
        self.owner, (ours, self.sock) = Owner(), socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        self.link = Link(ours, "one.sock", "static", (), self.owner, poller, reactor.seconds, Provenance("static", b"k"))

    def send(self, packet: bytes, *given: Lingering) -> None:
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", [each.given.fileno() for each in given]))]
        self.sock.sendmsg([packet], rights if given else [])


@pytest.fixture
def hostile(reactor: HandReactor, poller: Poller) -> Iterator[Hostile]:
    made = Hostile(reactor, poller)
    yield made
    made.link.end()
    made.sock.close()


@pytest.mark.parametrize("packet", [encode(Load(1)), encode(Draining()), NONSENSE, b"", encode(Taken(7, 0))])
def test_with_a_message_that_has_none(
    reactor: HandReactor, hostile: Hostile, lingering: list[Lingering], packet: bytes
) -> None:
    hostile.send(HELLO)
    hostile.send(packet, lingering[0])
    reactor.settle()
    assert not lingering[0].waits
    assert lingering[0].is_closed


def test_before_hello(reactor: HandReactor, hostile: Hostile, lingering: list[Lingering]) -> None:
    hostile.send(encode(Connection(1, LISTENER, LISTENER, HEAD)), lingering[0])
    reactor.settle()
    assert hostile.owner.over
    assert not lingering[0].waits
    assert lingering[0].is_closed


@pytest.mark.parametrize("count", [2, 3, 6])
def test_several_with_one_message(reactor: HandReactor, hostile: Hostile, lingering: list[Lingering], count: int) -> None:
    """Those for which a receiver has no room the kernel closes itself, and waits in the receiver's place."""
    hostile.send(HELLO)
    hostile.send(encode(Load(1)), *lingering[:count])
    reactor.settle()
    assert hostile.owner.over
    for each in lingering[:count]:
        assert not each.waits
        assert each.is_closed


def test_an_empty_message_is_the_end_and_leaves_no_descriptor(
    reactor: HandReactor, hostile: Hostile, lingering: list[Lingering]
) -> None:
    hostile.send(HELLO)
    hostile.send(b"", lingering[0])
    reactor.settle()
    assert hostile.owner.over
    assert hostile.link.breached
    assert lingering[0].is_closed


def test_in_the_queue_of_a_link_that_is_ended(reactor: HandReactor, hostile: Hostile, lingering: list[Lingering]) -> None:
    """Closing the link closes what lies in it."""
    hostile.send(HELLO)
    hostile.send(NONSENSE)
    for each in lingering:
        hostile.send(NONSENSE, each)
    reactor.settle()
    assert hostile.owner.over
    for each in lingering:
        assert not each.waits
        assert each.is_closed


def test_beyond_what_may_be_doubted(
    reactor: HandReactor, hostile: Hostile, lingering: list[Lingering], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("portico.doubts.DOUBTS", 0)
    hostile.send(HELLO)
    hostile.send(encode(Connection(1, LISTENER, LISTENER, HEAD, None, b"forged")), lingering[0])
    reactor.settle()
    assert hostile.owner.over
    assert not lingering[0].waits
    assert lingering[0].is_closed


# -- on connections that it was given


class Given:
    """A target with one replica, which has been offered a connection and has made it linger."""

    def __init__(self, reactor: HandReactor, poller: Poller, answers: Answers, logged: Logged, folder: Path) -> None:
        self._reactor = reactor
        self.service = RoutedService("static", Limits(queue_timeout=5.0), as_reactor(reactor), answers)
        self.target = self.service.target = HandoffTarget(
            self.service, folder, (), 2.0, poller, as_reactor(reactor), lambda arrival: None, logged.log, Balancer(Handoff())
        )
        self._listener = socketfile.bind(folder / "one.sock")
        self.target.start()
        reactor.advance(SCAN_INTERVAL)
        self.link, _ = self._listener.accept()
        self.link.send(HELLO)
        reactor.settle()
        self.client, self.arrival = arrive(HEAD)
        self.service.put_through(self.arrival)
        *_, (_, descriptors, _, _) = [socket.recv_fds(self.link, 131_072, 1) for _ in range(3)]  # WELCOME, ROUTES
        self.sock = socket.socket(fileno=descriptors[0])
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LONG)

    @property
    def waits(self) -> bool:
        return close_waits(self.sock)

    def close(self) -> None:
        self.target.close()
        for sock in (self.link, self._listener, self.sock, self.client):
            sock.close()


@pytest.fixture
def given(reactor: HandReactor, poller: Poller, answers: Answers, logged: Logged, folder: Path) -> Iterator[Given]:
    made = Given(reactor, poller, answers, logged, folder)
    yield made
    made.close()


def test_one_that_it_has_taken(reactor: HandReactor, given: Given) -> None:
    given.link.send(encode(Taken(1, 1)))
    reactor.settle()
    assert cast(socket.socket, given.arrival.sock).fileno() == -1
    assert not given.waits


def test_one_that_it_has_looked_at_and_not_taken(reactor: HandReactor, answers: Answers, given: Given) -> None:
    given.link.close()
    reactor.settle()
    assert given.service.queued == 1
    assert given.arrival.shared  # it may have cleared O_NONBLOCK, too: the router never moves its bytes by splice(2)
    given.arrival.close()
    assert not given.waits
