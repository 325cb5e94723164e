"""The router's end of a link. The replica is played by hand over a real socket file, with one bad habit at a time."""

import os

import pytest
from portico.link import Link
from svckit.handoff.cell import is_revoked
from svckit.handoff.codec import VERSION, Connection, Farewell, Hello, Load, Routes, Taken, Welcome, encode

from tests.support.descriptors import open_descriptors

from .support.linkrig import HEAD, PATTERNS, HandReplica, Owner, come, fill, numbers
from .support.reactor import HandReactor
from .support.wires import LISTENER, descriptors_of

# -- greeting


def test_hello_welcome_and_routes(reactor: HandReactor, replica: HandReplica, link: Link, owner: Owner) -> None:
    reactor.settle()
    assert not link.willing
    assert link.status()["state"] == "connecting"
    replica.greet()
    reactor.settle()
    assert replica.hear() == [Welcome(VERSION), Routes(True, PATTERNS)]
    assert not is_revoked(replica.cell)
    assert owner.told == ["ready"]
    assert link.willing
    assert (link.replica, link.capacity, link.load) == ("one", 100, 0)
    assert link.status() == {"replica": "one", "state": "ready", "open": 0, "capacity": 100}


def test_a_replica_that_says_nothing_is_overdue(reactor: HandReactor, replica: HandReplica, link: Link) -> None:
    replica.accept()
    reactor.advance(3)
    assert link.overdue == 3
    replica.send(Hello(VERSION, 1, "static", "one"))
    reactor.settle()
    assert link.overdue == 0


@pytest.mark.parametrize(
    "packet",
    [
        encode(Hello(VERSION + 1, 1, "static", "one")),
        encode(Hello(VERSION, 1, "uploads", "one")),
        b"\xff",
        b"\x01",
        encode(Hello(VERSION, 1, "static", "one")) + b"trailing",
        encode(Connection(1, LISTENER, LISTENER, b"without a descriptor")),
        encode(Taken(1, 0)),
        encode(Welcome(VERSION)),
        encode(Farewell()),
        encode(Routes(True, ())),
    ],
)
@pytest.mark.parametrize("greeted", [False, True])
def test_a_breach_of_the_protocol_ends_the_link(
    reactor: HandReactor, replica: HandReplica, link: Link, owner: Owner, packet: bytes, greeted: bool
) -> None:
    if greeted:
        replica.greet()
        reactor.settle()
        replica.hear()
        _, arrival = come()
        assert link.offer(arrival)
        if packet == encode(Taken(1, 0)):
            packet = encode(Taken(2, 0))
    else:
        replica.accept()
    replica.send_packet(packet)
    reactor.settle()
    assert link.ended
    assert not link.willing
    assert owner.told == (["ready", "ended"] if greeted else ["ended"])
    assert len(owner.reclaimed or []) == (1 if greeted else 0)
    replica.hear()
    assert replica.ended()


def test_a_second_hello_ends_the_link(reactor: HandReactor, replica: HandReplica, ready: Link) -> None:
    replica.send(Hello(VERSION, 1, "static", "one"))
    reactor.settle()
    assert ready.ended


def test_a_descriptor_that_comes_with_the_wrong_message_is_closed(
    reactor: HandReactor, replica: HandReplica, ready: Link
) -> None:
    _, arrival = come()
    for message in (Load(3), Taken(0, 4)):
        replica.send(message, arrival.sock.fileno())
    replica.send_packet(b"\xff", arrival.sock.fileno())
    cell = ready._cell.descriptor
    before = set(open_descriptors()) - {ready._sock.fileno(), cell}
    reactor.settle()
    assert ready.ended
    assert set(open_descriptors()) == before
    assert descriptors_of(arrival.sock.fileno()) == [arrival.sock.fileno()]
    assert replica.ended()
    assert (cell >= 0, ready._cell.descriptor) == (True, -1)
    arrival.close()


# -- offering


def test_a_connection_and_its_descriptor_arrive(reactor: HandReactor, replica: HandReplica, ready: Link, owner: Owner) -> None:
    client, arrival = come()
    assert ready.offer(arrival)
    assert ready.load == 1
    reactor.advance(1.5)
    assert ready.overdue == 1.5
    assert replica.hear() == [Connection(1, arrival.client, LISTENER, HEAD)]
    assert owner.taken_ == []
    replica.send(Taken(1, 7))
    reactor.settle()
    assert owner.taken_ == [arrival]
    assert (ready.load, ready.untaken, ready.overdue) == (7, 0, 0)
    arrival.close()
    os.write(replica.taken_over[0][1], b"from the replica")
    assert client.read() == b"from the replica"
    client.sock.close()


def test_taken_is_cumulative(reactor: HandReactor, replica: HandReplica, ready: Link, owner: Owner) -> None:
    arrivals = [come()[1] for _ in range(5)]
    for arrival in arrivals:
        assert ready.offer(arrival)
    assert numbers(replica) == [1, 2, 3, 4, 5]
    replica.send(Taken(3, 3))
    reactor.settle()
    assert owner.taken_ == arrivals[:3]
    assert ready.load == 5
    replica.send(Taken(2, 3))  # old news changes nothing
    replica.send(Load(1))
    reactor.settle()
    assert owner.taken_ == arrivals[:3]
    assert ready.load == 3


def test_a_replica_that_dies_before_taken_loses_nothing(
    reactor: HandReactor, replica: HandReplica, ready: Link, owner: Owner
) -> None:
    pairs = [come() for _ in range(3)]
    for _, arrival in pairs:
        assert ready.offer(arrival)
    replica.hear()  # received, and yet not taken
    replica.die()
    reactor.settle()
    assert owner.taken_ == []
    assert owner.reclaimed == [arrival for _, arrival in pairs]
    for client, arrival in pairs:
        assert not client.has_ended()
        arrival.sock.send(b"from the router")
        assert client.read() == b"from the router"


def test_a_replica_that_dies_after_taken_has_taken(
    reactor: HandReactor, replica: HandReplica, ready: Link, owner: Owner
) -> None:
    arrivals = [come()[1] for _ in range(3)]
    for arrival in arrivals:
        assert ready.offer(arrival)
    replica.hear()
    replica.send(Taken(2, 2))
    replica.die()  # what it had said is still to be read, before the end
    reactor.settle()
    assert owner.taken_ == arrivals[:2]
    assert owner.reclaimed == arrivals[2:]


def test_taken_is_heard_although_the_replica_left_ours_unread(
    reactor: HandReactor, replica: HandReplica, ready: Link, owner: Owner
) -> None:
    arrivals = [come()[1] for _ in range(2)]
    assert ready.offer(arrivals[0])
    replica.hear()
    replica.send(Taken(1, 1))
    assert ready.offer(arrivals[1])
    replica.die()  # with an unread packet: the kernel says ECONNRESET before what is queued
    reactor.settle()
    assert owner.taken_ == arrivals[:1]
    assert owner.reclaimed == arrivals[1:]


def test_an_offer_to_a_link_that_has_just_ended_is_untouched(replica: HandReplica, ready: Link, owner: Owner) -> None:
    replica.die()
    _, arrival = come()
    assert not ready.offer(arrival)
    assert ready.untaken == 0
    assert arrival.sock.fileno() >= 0
    arrival.close()


def test_a_replica_that_does_not_read_counts_as_refusing_until_it_does(
    reactor: HandReactor, replica: HandReplica, ready: Link, owner: Owner
) -> None:
    _, arrival = come()
    count = fill(ready, arrival)
    assert count > 1
    assert ready.untaken == count
    assert not ready.willing
    assert ready.status()["state"] == "full"
    reactor.settle()  # waits without spinning
    assert owner.told == ["ready"]
    assert len(replica.hear()) == count
    reactor.settle()
    assert owner.told == ["ready", "ready"]
    assert ready.willing
    assert ready.offer(arrival)
    assert numbers(replica) == list(range(1, count + 2))
    arrival.close()
