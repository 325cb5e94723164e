"""Adopted connections over real sockets: the preface first, and letting go without cutting."""

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from handoff_support import FakeReactor, Recorder, Recorders, no_descriptor_leaks, tcp_pair
from svckit.lease import ILeased, Lease, Ownership
from svckit.transport import AdoptedServer, HandedBack, address_of, adopt
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.python.failure import Failure
from zope.interface import implementer

PEER = address_of("203.0.113.7", 4711)
BIG = b"0123456789abcdef" * 300_000  # more than the kernel takes for a client that does not read


class Pausing(Recorder):
    """Reads nothing until it is told to."""

    def connectionMade(self) -> None:
        self.transport.pauseProducing()


@implementer(ILeased)
class Leased(Recorder):
    """Notes when it got its lease."""

    lease: Lease | None = None

    def connectionMade(self) -> None:
        self.lease_at_connection = self.lease


class Failing(Recorder):
    """Fails on its first bytes."""

    def dataReceived(self, data: bytes) -> None:
        raise RuntimeError("first bytes")


class FailingAtOnce(Recorder):
    """Fails when it is connected."""

    def connectionMade(self) -> None:
        raise RuntimeError("connected")


class FailingAtTheEnd(Recorder):
    """Fails when its connection is lost."""

    def connectionLost(self, reason: Failure = Failure(ConnectionDone())) -> None:  # noqa: B008
        raise RuntimeError("lost")


class Adopter:
    """A connected pair and all that `adopt` wants."""

    def __init__(self) -> None:
        self.reactor, self.factory = FakeReactor(), Recorders()
        self.client, self.sock = tcp_pair()
        self.lost: list[AdoptedServer] = []
        self.made: list[AdoptedServer] = []
        self.released: list[socket.socket] = []
        self.lease = Lease(Ownership(), None)

    def adopt(self, preface: bytes = b"", build: Callable[[], Any] = Recorder) -> Any:
        def build_protocol(addr: object) -> Any:
            made = build()
            self.factory.made.append(made)
            return made

        self.factory.buildProtocol = build_protocol  # type: ignore[method-assign]
        return adopt(
            self.sock,
            self.factory,  # type: ignore[arg-type]
            PEER,
            preface,
            self.reactor,  # type: ignore[arg-type]
            lambda transport: self.lease,
            self.lost.append,
            self.made.append,
        )

    @property
    def protocol(self) -> Any:
        return self.factory.made[0]

    def end_of_client(self) -> bytes:
        """What the client still reads until its end."""
        received = b""
        while more := self.client.recv(1 << 20):
            received += more
        return received


@pytest.fixture
def adopter() -> Iterator[Adopter]:
    with no_descriptor_leaks():
        made = Adopter()
        yield made
        made.client.close()
        made.reactor.until(lambda: len(made.lost) == len(made.made))
        for sock in made.released:
            sock.close()
    assert not made.reactor.failures
    assert not made.reactor.readers
    assert not made.reactor.writers


# -- addresses


def test_addresses() -> None:
    assert address_of("192.0.2.1", 80) == IPv4Address("TCP", "192.0.2.1", 80)
    assert address_of("2001:db8::1", 443) == IPv6Address("TCP", "2001:db8::1", 443)


def test_the_peer_is_who_the_router_says_and_the_host_is_the_sockets(adopter: Adopter) -> None:
    transport = adopter.adopt()
    assert transport.getPeer() == PEER
    assert transport.getHost().port == adopter.client.getpeername()[1]
    assert "203.0.113.7:4711" in repr(transport)


def test_an_ipv6_client(adopter: Adopter) -> None:
    peer = address_of("2001:db8::1", 443)
    transport = AdoptedServer(adopter.sock, Recorder(), peer, adopter.reactor, adopter.lost.append)  # type: ignore[arg-type]
    adopter.made.append(transport)
    transport.protocol.makeConnection(transport)
    assert transport.getPeer() == peer


# -- replay


def test_the_preface_comes_before_what_the_socket_has(adopter: Adopter) -> None:
    adopter.client.send(b"second")
    adopter.adopt(b"first, ")
    assert adopter.protocol.received == b"first, "
    adopter.reactor.until(lambda: len(adopter.protocol.received) > 7)
    assert adopter.protocol.received == b"first, second"


def test_without_a_preface_nothing_is_delivered(adopter: Adopter) -> None:
    class Strict(Recorder):
        def dataReceived(self, data: bytes) -> None:
            assert data
            super().dataReceived(data)

    adopter.adopt(b"", Strict)
    adopter.reactor.settle()
    assert adopter.protocol.received == b""


def test_a_protocol_that_pauses_gets_its_preface_when_it_resumes(adopter: Adopter) -> None:
    transport = adopter.adopt(b"first, ", Pausing)
    adopter.client.send(b"second")
    adopter.reactor.settle()
    assert adopter.protocol.received == b""
    transport.resumeProducing()
    adopter.reactor.until(lambda: len(adopter.protocol.received) > 7)
    assert adopter.protocol.received == b"first, second"


def test_resumed_by_the_clock_the_preface_still_comes_first(adopter: Adopter) -> None:
    """A timed call resumes, and the socket is readable before the next timed call."""
    transport = adopter.adopt(b"first, ", Pausing)
    adopter.client.send(b"second")
    adopter.reactor.until(lambda: adopter.sock.recv(6, socket.MSG_PEEK) == b"second")
    transport.resumeProducing()
    transport.doRead()
    adopter.reactor.until(lambda: len(adopter.protocol.received) > 7)
    assert adopter.protocol.received == b"first, second"


def test_paused_again_before_the_preface_came(adopter: Adopter) -> None:
    transport = adopter.adopt(b"first", Pausing)
    transport.resumeProducing()
    transport.pauseProducing()
    adopter.reactor.settle()
    assert adopter.protocol.received == b""
    transport.resumeProducing()
    adopter.reactor.settle()
    assert adopter.protocol.received == b"first"


def test_closed_before_it_resumed_it_gets_nothing(adopter: Adopter) -> None:
    transport = adopter.adopt(b"first", Pausing)
    transport.loseConnection()
    transport.resumeProducing()
    adopter.reactor.settle()
    assert adopter.protocol.received == b""
    assert adopter.lost == [transport]


def test_a_protocol_that_fails_on_its_preface_loses_its_connection(adopter: Adopter) -> None:
    transport = adopter.adopt(b"first", Failing)
    assert adopter.protocol.lost.check(RuntimeError)
    assert adopter.lost == [transport]
    assert adopter.end_of_client() == b""


def test_a_protocol_that_fails_when_connected_loses_its_connection(adopter: Adopter) -> None:
    transport = adopter.adopt(b"first", FailingAtOnce)
    assert adopter.protocol.lost.check(ConnectionLost)
    assert adopter.lost == [transport]
    assert adopter.end_of_client() == b""


def test_a_factory_that_declines(adopter: Adopter) -> None:
    assert adopter.adopt(b"first", lambda: None) is None
    assert adopter.made == adopter.lost == []
    assert adopter.end_of_client() == b""


def test_a_factory_that_fails_declines(adopter: Adopter) -> None:
    def fail() -> None:
        raise RuntimeError("no protocol today")

    assert adopter.adopt(b"first", fail) is None
    assert adopter.made == adopter.lost == []
    assert adopter.end_of_client() == b""


def test_a_client_that_went_before_it_was_adopted(adopter: Adopter) -> None:
    adopter.client.close()
    transport = adopter.adopt(b"first")
    adopter.reactor.until(lambda: adopter.lost)
    assert adopter.protocol.received == b"first"
    assert adopter.lost == [transport]


def test_the_lease_is_there_before_the_connection(adopter: Adopter) -> None:
    adopter.adopt(b"", Leased)
    assert adopter.protocol.lease_at_connection is adopter.lease


# -- ending


def test_an_orderly_end_is_told_once(adopter: Adopter) -> None:
    transport = adopter.adopt()
    transport.write(b"bye")
    transport.loseConnection()
    adopter.reactor.settle()
    assert adopter.end_of_client() == b"bye"
    assert adopter.protocol.lost.check(ConnectionDone)
    assert not adopter.protocol.lost.check(HandedBack)
    transport.connectionLost(Failure(ConnectionDone()))
    assert adopter.lost == [transport]


def test_an_abort_is_told_once(adopter: Adopter) -> None:
    transport = adopter.adopt()
    transport.abortConnection()
    adopter.reactor.settle()
    assert adopter.protocol.lost.check(ConnectionAborted)
    assert adopter.lost == [transport]
    with pytest.raises(ConnectionResetError):
        adopter.client.recv(1)


# -- release


def test_release_lets_go_and_cuts_nothing(adopter: Adopter) -> None:
    transport = adopter.adopt(b"first")
    transport.release(adopter.released.append)
    assert adopter.protocol.lost is None  # not while the caller stands inside the protocol
    adopter.reactor.settle()
    assert adopter.protocol.lost.check(HandedBack)
    assert not adopter.reactor.readers
    [sock] = adopter.released
    sock.send(b"from the next one")
    assert adopter.client.recv(50) == b"from the next one"
    adopter.client.send(b"heard")
    assert sock.recv(50) == b"heard"


def test_the_socket_is_given_on_before_the_loss_is_told(adopter: Adopter) -> None:
    """So that whoever counts connections sees this one without a gap."""
    transport = adopter.adopt()

    def then(sock: socket.socket) -> None:
        assert adopter.lost == []
        adopter.released.append(sock)

    transport.release(then)
    adopter.reactor.settle()
    assert adopter.lost == [transport]
    assert len(adopter.released) == 1


def test_release_waits_until_everything_is_out(adopter: Adopter) -> None:
    transport = adopter.adopt()
    transport.write(BIG)
    transport.release(adopter.released.append)
    for _ in range(5):
        adopter.reactor.turn()
    assert adopter.released == []
    received = bytearray()
    while len(received) < len(BIG):
        adopter.reactor.turn()
        received += adopter.client.recv(1 << 20)
    adopter.reactor.until(lambda: adopter.released)
    assert received == BIG
    adopter.released[0].send(b"!")
    assert adopter.client.recv(1) == b"!"


def test_what_arrives_after_the_release_is_for_the_next_one(adopter: Adopter) -> None:
    transport = adopter.adopt()
    transport.write(BIG)
    transport.release(adopter.released.append)
    adopter.client.send(b"for the next")
    transport.resumeProducing()  # as a producer does when the buffer empties
    transport.startReading()
    for _ in range(5):
        adopter.reactor.turn()
    received = 0
    while received < len(BIG):
        adopter.reactor.turn()
        received += len(adopter.client.recv(1 << 20))
    adopter.reactor.until(lambda: adopter.released)
    assert adopter.protocol.received == b""
    assert adopter.released[0].recv(50) == b"for the next"


def test_a_client_that_goes_before_everything_is_out_is_lost(adopter: Adopter) -> None:
    transport = adopter.adopt()
    transport.write(BIG)
    transport.release(adopter.released.append)
    adopter.client.close()
    adopter.reactor.until(lambda: adopter.lost)
    assert adopter.released == []
    assert adopter.lost == [transport]
    assert not adopter.protocol.lost.check(HandedBack)


def test_a_protocol_that_fails_at_its_end_is_not_counted_for_ever(adopter: Adopter) -> None:
    transport = adopter.adopt(build=FailingAtTheEnd)
    with pytest.raises(RuntimeError, match="lost"):
        transport.connectionLost(Failure(ConnectionDone()))
    assert adopter.lost == [transport]


def test_an_abort_before_everything_is_out_wins(adopter: Adopter) -> None:
    transport = adopter.adopt()
    transport.write(BIG)
    transport.release(adopter.released.append)
    transport.abortConnection()
    adopter.reactor.settle()
    assert adopter.released == []
    assert adopter.lost == [transport]


def test_a_second_release_changes_nothing(adopter: Adopter) -> None:
    transport = adopter.adopt()
    second: list[socket.socket] = []
    transport.release(adopter.released.append)
    transport.release(second.append)
    adopter.reactor.settle()
    transport.release(second.append)
    adopter.reactor.settle()
    assert len(adopter.released) == 1
    assert second == []
