"""What a compromised replica can try through its link, and how far each gets. `docs/security.md` has the list."""

import socket
from pathlib import Path

import pytest
from portico.link import BATCH, Link
from portico.poller import Poller
from svckit.handoff import socketfile
from svckit.handoff.codec import MESSAGE_LIMIT, VERSION, Connection, Draining, Hello, Load, Taken, encode

from tests.support.descriptors import open_descriptors

from .support.linkrig import FORGED, HEAD, PATTERNS, HandReplica, Owner, come
from .support.reactor import HandReactor
from .support.wires import LISTENER, descriptors_of

# -- who it says it is


@pytest.mark.parametrize("name", ["two", "", "one\n", "\x1b[31mone", "o" * 255])
def test_a_name_that_is_not_its_file_s(reactor: HandReactor, replica: HandReplica, link: Link, name: str) -> None:
    replica.accept()
    replica.send(Hello(VERSION, 1, "static", name))
    reactor.settle()
    assert link.ended
    assert link.breached
    assert link.replica == str(replica.path)


def test_a_file_name_with_control_characters_is_no_replica(
    reactor: HandReactor, poller: Poller, folder: Path, owner: Owner
) -> None:
    evil = HandReplica(folder, "\x1b[2Jone")
    link = Link(socketfile.connect(evil.path), str(evil.path), "static", PATTERNS, owner, poller, reactor.seconds)
    evil.greet()
    reactor.settle()
    assert link.ended
    evil.die()


@pytest.mark.parametrize("early", [Load(1), Taken(0, 0), Draining()])
def test_nothing_is_heard_before_hello(
    reactor: HandReactor, replica: HandReplica, link: Link, early: Load | Taken | Draining
) -> None:
    replica.accept()
    replica.send(early)
    reactor.settle()
    assert link.ended


def test_nothing_is_taken_before_hello(reactor: HandReactor, replica: HandReplica, link: Link, owner: Owner) -> None:
    replica.accept()
    _, arrival = come()
    replica.hand_back(1, arrival.sock.fileno(), HEAD)
    cell = link._cell.descriptor
    before = set(open_descriptors()) - {link._sock.fileno(), cell}
    reactor.settle()
    assert link.ended
    assert owner.returned_ == []
    assert set(open_descriptors()) == before
    assert descriptors_of(arrival.sock.fileno()) == [arrival.sock.fileno()]
    assert replica.ended()
    assert (cell >= 0, link._cell.descriptor) == (True, -1)
    arrival.close()


# -- sizes, counts, numbers


def test_a_message_over_the_limit_ends_the_link(reactor: HandReactor, replica: HandReplica, ready: Link, owner: Owner) -> None:
    _, arrival = come()
    assert ready.offer(arrival)
    assert replica.link is not None
    replica.link.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    message = Connection(1, FORGED, LISTENER, b"x" * MESSAGE_LIMIT)
    replica.send(message, arrival.sock.fileno())
    before = descriptors_of(arrival.sock.fileno())
    opened = set(open_descriptors()) - {ready._sock.fileno(), ready._cell.descriptor}
    reactor.settle()
    assert ready.breached
    assert owner.returned_ == []
    assert owner.reclaimed == [arrival]
    assert descriptors_of(arrival.sock.fileno()) == before
    assert set(open_descriptors()) == opened


@pytest.mark.parametrize("count", [2, 50, 253])
def test_more_descriptors_than_one_end_the_link(
    reactor: HandReactor, replica: HandReplica, ready: Link, owner: Owner, count: int
) -> None:
    _, arrival = come()
    assert replica.link is not None
    socket.send_fds(replica.link, [encode(Connection(1, FORGED, LISTENER, HEAD))], [arrival.sock.fileno()] * count)
    reactor.settle()
    assert ready.breached
    assert ready.ended
    assert owner.returned_ == []
    assert descriptors_of(arrival.sock.fileno()) == [arrival.sock.fileno()]


@pytest.mark.parametrize("number", [0, 2, 2**64 - 1])
def test_a_hand_back_out_of_turn_ends_the_link(
    reactor: HandReactor, replica: HandReplica, ready: Link, owner: Owner, number: int
) -> None:
    _, arrival = come()
    replica.hand_back(number, arrival.sock.fileno(), HEAD)
    reactor.settle()
    assert ready.breached
    assert owner.returned_ == []
    arrival.close()


def test_taken_for_what_was_never_given_takes_nothing(
    reactor: HandReactor, replica: HandReplica, ready: Link, owner: Owner
) -> None:
    pairs = [come() for _ in range(2)]
    for _, arrival in pairs:
        assert ready.offer(arrival)
    replica.send(Taken(3, 0))
    reactor.settle()
    assert ready.breached
    assert owner.taken_ == []
    assert owner.reclaimed == [arrival for _, arrival in pairs]


def test_a_flood_gets_one_batch_a_turn(reactor: HandReactor, replica: HandReplica, ready: Link, owner: Owner) -> None:
    """Whatever a replica sends, and however much: one look reads one batch."""
    assert replica.link is not None
    replica.link.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    sent = 0
    try:
        while sent < 100_000:
            replica.send(Load(sent))
            sent += 1
    except BlockingIOError:
        pass
    assert sent > BATCH
    ready._read()
    assert ready.load == BATCH - 1
    ready._read()
    assert ready.load == min(2 * BATCH, sent) - 1


def test_hand_backs_wait_outside_while_taken_cannot_be_said(
    reactor: HandReactor, replica: HandReplica, ready: Link, owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A replica that reads nothing and hands back without end: what the router holds for it is bounded."""
    monkeypatch.setattr("portico.doubts.DOUBTS", 100_000)  # it is one connection each time
    _, filler = come(b"x" * 60_000)
    while ready.offer(filler):
        pass
    assert replica.link is not None
    replica.link.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    sent = 0
    _, arrival = come()
    try:
        while sent < 100_000:
            replica.hand_back(sent + 1, arrival.sock.fileno())
            sent += 1
    except BlockingIOError:
        pass
    assert sent > 2 * BATCH
    reactor.settle()  # comes to rest: nothing spins on what is not read
    assert len(ready._came) == BATCH
    assert owner.returned_ == []
    replica.hear()  # and as soon as it reads, all goes on
    reactor.until(lambda: (replica.hear(), len(owner.returned_))[1] == sent)
    arrival.close()
    filler.close()
