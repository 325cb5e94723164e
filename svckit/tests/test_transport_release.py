"""Letting go of an adopted connection without cutting it."""

import socket

import pytest
from adopter_support import Adopter
from handoff_support import Recorder
from svckit.transport import HandedBack
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

BIG = b"0123456789abcdef" * 300_000  # more than the kernel takes for a client that does not read


class FailingAtTheEnd(Recorder):
    """Fails when its connection is lost."""

    def connectionLost(self, reason: Failure = Failure(ConnectionDone())) -> None:  # noqa: B008
        raise RuntimeError("lost")


def test_release_lets_go_and_cuts_nothing(adopter: Adopter) -> None:
    transport = adopter.adopt(b"first")
    transport.release(adopter.released.append)
    assert not adopter.protocol.lost  # not while the caller stands inside the protocol
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
