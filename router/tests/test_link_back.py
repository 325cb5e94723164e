"""The router's end of a link: what a replica hands back, and when it is the router's."""

import os
import socket

import pytest
from portico.link import BATCH, Link
from portico.poller import READ
from svckit.handoff import packets
from svckit.handoff.cell import withdraw
from svckit.handoff.codec import Connection, Draining, Load, Message, Taken

from tests.support.descriptors import open_descriptors

from .support.linkrig import HEAD, HandReplica, Owner, come, fill
from .support.reactor import HandReactor
from .support.wires import LISTENER, Inbox

# -- handed back


def test_taken_is_said_before_a_hand_back_is_acted_on(
    reactor: HandReactor, replica: HandReplica, ready: Link, owner: Owner
) -> None:
    heard: list[Message] = []
    owner.on_returned = lambda: heard.extend(replica.hear())
    client, arrival = come()
    replica.hand_back(1, arrival.sock.fileno(), b"GET /uploads/x HTTP/1.1\r\n")
    replica.hand_back(2, arrival.sock.fileno())
    arrival.close()
    reactor.settle()
    assert heard == [Taken(2, 0)]
    assert owner.told == ["ready", "returned"]
    first, second = owner.returned_
    assert first.returned
    assert (first.client, first.preface) == (client.sock.getsockname(), b"GET /uploads/x HTTP/1.1\r\n")
    assert second.preface == b""
    first.sock.send(b"again")
    assert client.read() == b"again"
    for each in (first, second):
        assert not os.get_inheritable(each.sock.fileno())
        each.close()


@pytest.mark.parametrize("after", [Draining(), Load(1), Taken(1, 0)])
def test_taken_is_said_first_whatever_comes_in_the_same_batch(
    reactor: HandReactor, replica: HandReplica, ready: Link, owner: Owner, after: Message
) -> None:
    heard: list[Message] = []
    owner.on_returned = lambda: heard.extend(replica.hear())
    _, arrival = come()
    assert ready.offer(arrival)
    replica.hear()
    replica.hand_back(1, arrival.sock.fileno())
    replica.send(after)
    reactor.settle()
    assert Taken(1, 0) in heard
    assert len(owner.returned_) == 1
    owner.returned_[0].close()


def test_more_hand_backs_than_fit_one_batch(reactor: HandReactor, replica: HandReplica, ready: Link, owner: Owner) -> None:
    _, arrival = come()
    for number in range(1, BATCH + 11):
        replica.hand_back(number, arrival.sock.fileno())
    reactor.settle()
    assert [message for message in replica.hear() if isinstance(message, Taken)] == [Taken(BATCH, 0), Taken(BATCH + 10, 0)]
    assert len(owner.returned_) == BATCH + 10
    for each in owner.returned_:
        each.close()


def two_come_back(reactor: HandReactor, replica: HandReplica, link: Link) -> tuple[Inbox, int]:
    """Two hand-backs where the link is full, so that TAKEN cannot be said: one has been read, the other one not yet.

    Returns the client, and how many connections are on the link.
    """
    client, arrival = come()
    count = fill(link, arrival)
    replica.hand_back(1, arrival.sock.fileno(), b"first")
    reactor.settle()
    replica.hand_back(2, arrival.sock.fileno(), b"second")
    return client, count


def both_are_here(owner: Owner) -> None:
    assert [each.preface for each in owner.returned_] == [b"first", b"second"]
    for each in owner.returned_:
        each.close()


def test_a_hand_back_waits_until_taken_can_be_said(
    reactor: HandReactor, replica: HandReplica, ready: Link, owner: Owner
) -> None:
    _, count = two_come_back(reactor, replica, ready)
    reactor.settle()
    assert owner.returned_ == []
    assert len(replica.hear()) == count
    reactor.settle()
    assert replica.hear()[-1] == Taken(2, 0)
    both_are_here(owner)


def test_a_replica_that_dies_has_let_go_of_what_it_handed_back(
    reactor: HandReactor, replica: HandReplica, ready: Link, owner: Owner
) -> None:
    client, count = two_come_back(reactor, replica, ready)
    replica.die()
    reactor.settle()
    both_are_here(owner)
    assert len(owner.reclaimed or []) == count
    assert not client.has_ended()


def test_a_replica_that_dies_between_two_looks_has_let_go_too(
    reactor: HandReactor, replica: HandReplica, ready: Link, owner: Owner
) -> None:
    _ = two_come_back(reactor, replica, ready)  # the client stays
    replica.die()
    ready._on_events(READ)  # the look was due before it died: nothing says yet that it is writable
    both_are_here(owner)
    assert ready.ended


def test_revoked_with_taken_unsaid_a_hand_back_is_still_the_replicas(
    reactor: HandReactor, replica: HandReplica, ready: Link, owner: Owner
) -> None:
    client, arrival = come()
    count = fill(ready, arrival)
    replica.hand_back(1, arrival.sock.fileno(), b"read here, TAKEN has no room")
    reactor.settle()
    replica.hand_back(2, arrival.sock.fileno(), b"not read yet")
    before = open_descriptors()
    ready.revoke()
    assert owner.returned_ == []
    assert len(owner.reclaimed or []) == count
    assert Taken not in [type(message) for message in replica.hear()]
    replicas = {descriptor for _, descriptor in replica.taken_over}
    after = {number: what for number, what in open_descriptors().items() if number not in replicas}
    assert after.items() <= before.items()
    assert len(before) - len(after) == 3  # the link, its cell and what was read here; the other one never came
    assert not client.has_ended()  # and the connection was not shut down


def test_revoked_when_it_has_just_died_a_hand_back_is_the_routers(
    reactor: HandReactor, replica: HandReplica, ready: Link, owner: Owner
) -> None:
    client, arrival = come()
    fill(ready, arrival)
    replica.hand_back(1, arrival.sock.fileno(), b"read here, TAKEN has no room")
    reactor.settle()
    arrival.close()
    replica.die()
    ready.revoke()
    assert [each.preface for each in owner.returned_] == [b"read here, TAKEN has no room"]
    assert not client.has_ended()
    owner.returned_[0].close()


def test_revoked_with_room_a_hand_back_is_taken(reactor: HandReactor, replica: HandReplica, ready: Link, owner: Owner) -> None:
    _, arrival = come()
    assert ready.offer(arrival)
    replica.hand_back(1, arrival.sock.fileno(), b"unread")
    ready.revoke()
    assert [each.preface for each in owner.returned_] == [b"unread"]
    assert replica.hear() == [Connection(1, arrival.client, LISTENER, HEAD), Taken(1, 0)]
    owner.returned_[0].close()


@pytest.mark.parametrize("lost", [1, 2])
def test_taken_is_heard_behind_hand_backs_that_could_not_be_received(
    reactor: HandReactor, replica: HandReplica, ready: Link, owner: Owner, lost: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the replica has taken must not go to another one. What was not received stays the replica's, and all after it."""
    arrivals = [come()[1] for _ in range(2)]
    for arrival in arrivals:
        assert ready.offer(arrival)
    for number in (1, 2):
        replica.hand_back(number, arrivals[0].sock.fileno(), b"unread")
    replica.send(Taken(1, 1))
    really, left = packets.receive, [packets.DescriptorsLost("EMFILE")] * lost

    def receive(link: socket.socket) -> tuple[bytes, int | None]:
        packet, descriptor = really(link)
        if descriptor is not None and left:
            os.close(descriptor)
            raise left.pop()
        return packet, descriptor

    monkeypatch.setattr(packets, "receive", receive)
    reactor.settle()
    monkeypatch.undo()
    assert owner.taken_ == arrivals[:1]
    assert owner.reclaimed == arrivals[1:]
    assert owner.returned_ == []
    assert not ready.breached
    assert Taken not in [type(message) for message in replica.hear()]


# -- and the target above: who gets what a replica did not take


def test_a_replica_that_has_ended_the_link_alive_keeps_what_it_handed_back(
    reactor: HandReactor, replica: HandReplica, ready: Link, owner: Owner
) -> None:
    replica.hear()
    client, arrival = come()
    replica.hand_back(1, arrival.sock.fileno(), b"GET /uploads/x HTTP/1.1\r\n")
    withdraw(replica.cell)
    assert replica.link is not None
    replica.link.shutdown(socket.SHUT_RD)  # it can be told nothing more
    reactor.settle()
    replica.link.close()
    reactor.settle()
    assert owner.returned_ == []
    assert not client.has_ended()  # our copy was closed and not shut down
    arrival.close()
