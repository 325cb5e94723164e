"""The connections a service has open: taken, given back, drained."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from handoff_support import FakeReactor, Recorder, Recorders, tcp_pair
from svckit.lease import IDrainable, ILeased, Lease, Ownership
from svckit.live import GOODBYE_TIME, LiveConnections
from svckit.transport import AdoptedServer
from zope.interface import implementer

from tests.support.descriptors import no_descriptor_leaks

DRAIN_TIME = 10.0


@implementer(IDrainable, ILeased)
class Polite(Recorder):
    """Writes down what it is told; says goodbye when its time is up, and waits for an answer."""

    lease: Lease
    transport: AdoptedServer

    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []

    def drain(self) -> None:
        self.told.append(f"drain after {self.received.decode()!r}")

    def expire(self) -> None:
        self.told.append("expire")
        self.transport.write(b"goodbye")


@implementer(IDrainable)
class Faulty(Recorder):
    """Fails at whatever it is told."""

    def drain(self) -> None:
        raise RuntimeError("drain")

    def expire(self) -> None:
        raise RuntimeError("expire")


class Service:
    """Live connections of a factory, and the clients' ends."""

    def __init__(self) -> None:
        self.reactor, self.factory, self.ownership = FakeReactor(), Recorders(), Ownership((("/a/", True),))
        self.counts: list[int] = []
        self.kinds: list[type[Recorder]] = []
        self.factory.buildProtocol = self._build  # type: ignore[method-assign]
        self.clients: list[socket.socket] = []
        self.back: list[tuple[socket.socket, bytes, int]] = []
        self.live = LiveConnections(
            self.factory,
            self.ownership,
            self.reactor,  # type: ignore[arg-type]
            DRAIN_TIME,
            lambda: self.counts.append(len(self.live)),
        )

    def _build(self, addr: object) -> Recorder:
        made = self.kinds.pop(0)()
        self.factory.made.append(made)
        return made

    def take(self, kind: type[Recorder], preface: bytes = b"") -> Any:
        client, sock = tcp_pair()
        self.clients.append(client)
        self.kinds.append(kind)
        self.live.take(sock, ("192.0.2.9", 5), preface, lambda sock, unread: self.back.append((sock, unread, len(self.live))))
        return self.factory.made[-1]


@pytest.fixture
def service() -> Iterator[Service]:
    with no_descriptor_leaks():
        made = Service()
        yield made
        for sock in (*made.clients, *(each[0] for each in made.back)):
            sock.close()
        made.reactor.until(lambda: not made.live)
    assert not made.reactor.failures


def test_connections_are_counted_and_their_end_is_told(service: Service) -> None:
    first = service.take(Polite, b"hello")
    service.take(Recorder)
    assert first.received == b"hello"
    assert first.transport.getPeer().host == "192.0.2.9"
    assert len(service.live) == 2
    service.clients[0].close()
    service.reactor.until(lambda: service.counts)
    assert service.counts == [1]


def test_a_connection_is_given_back_with_what_was_read(service: Service) -> None:
    taken = service.take(Polite, b"hello")
    assert taken.lease.ownership is service.ownership
    assert taken.lease.returnable
    taken.transport.write(b"answered")
    taken.lease.hand_back(b"unread")
    service.reactor.settle()
    [(sock, unread, counted)] = service.back
    assert unread == b"unread"
    assert counted == 1  # still counted while it is given back
    assert service.counts == [0]
    sock.send(b", and again")
    service.reactor.settle()
    assert service.clients[0].recv(8) == b"answered"
    assert service.clients[0].recv(50) == b", and again"


def test_drain_tells_those_that_can_and_leaves_the_rest_in_peace(service: Service) -> None:
    polite, plain = service.take(Polite, b"hi"), service.take(Recorder)
    service.live.drain()
    service.reactor.advance(DRAIN_TIME - 0.1)
    service.reactor.settle()
    assert polite.told == ["drain after b'hi'".replace("b'", "'")]
    assert plain.lost is None
    assert len(service.live) == 2


def test_when_the_drain_time_is_up_goodbye_is_said_and_then_all_are_aborted(service: Service) -> None:
    polite, plain = service.take(Polite), service.take(Recorder)
    service.live.drain()
    service.reactor.advance(DRAIN_TIME)
    service.reactor.settle()
    assert polite.told == ["drain after ''", "expire"]
    assert plain.lost is not None
    assert service.clients[1].recv(1) == b""
    assert len(service.live) == 1
    assert service.clients[0].recv(50) == b"goodbye"
    service.reactor.advance(GOODBYE_TIME)
    service.reactor.settle()
    assert len(service.live) == 0
    with pytest.raises(ConnectionResetError):
        service.clients[0].recv(1)


def test_a_polite_one_that_ends_in_time_is_not_expired(service: Service) -> None:
    polite = service.take(Polite)
    service.live.drain()
    service.clients[0].close()
    service.reactor.until(lambda: not service.live)
    service.reactor.advance(DRAIN_TIME + GOODBYE_TIME)
    assert polite.told == ["drain after ''"]


def test_taken_while_draining_it_sees_its_first_request_and_then_drains(service: Service) -> None:
    service.live.drain()
    polite = service.take(Polite, b"GET /")
    assert polite.told == ["drain after 'GET /'"]


def test_taken_when_the_drain_time_was_already_up_it_still_ends(service: Service) -> None:
    service.live.drain()
    service.reactor.advance(DRAIN_TIME + GOODBYE_TIME + 1)
    polite = service.take(Polite, b"GET /")
    service.reactor.advance(DRAIN_TIME)
    service.reactor.advance(GOODBYE_TIME)
    service.reactor.settle()
    assert polite.told == ["drain after 'GET /'", "expire"]
    assert not service.live


def test_one_that_fails_spares_no_other(service: Service) -> None:
    several = [service.take(kind) for kind in (Polite, Faulty, Polite, Faulty, Polite, Faulty)]
    service.live.drain()
    service.reactor.advance(DRAIN_TIME)
    assert [each.told for each in several[::2]] == [["drain after ''", "expire"]] * 3
    service.reactor.advance(GOODBYE_TIME)
    service.reactor.settle()
    assert not service.live


def test_a_factory_that_declines_holds_no_connection(service: Service) -> None:
    service.factory.buildProtocol = lambda addr: None  # type: ignore[method-assign]
    client, sock = tcp_pair()
    service.clients.append(client)
    service.live.take(sock, ("192.0.2.9", 5), b"hello", lambda sock, unread: None)
    assert len(service.live) == 0
    assert client.recv(1) == b""
