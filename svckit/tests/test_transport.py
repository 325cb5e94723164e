"""Adopted connections over real sockets: the preface first, and an end that is told once."""

import socket

import pytest
from adopter_support import PEER, Adopter
from handoff_support import Recorder
from svckit.lease import ILeased, Lease
from svckit.transport import AdoptedServer, HandedBack, address_of
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.python.failure import Failure
from zope.interface import implementer


class Pausing(Recorder):
    """Reads nothing until it is told to."""

    transport: AdoptedServer

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
