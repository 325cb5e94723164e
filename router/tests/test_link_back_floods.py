"""What comes back again and again, or without end, and what lingers. `docs/security.md` has the list."""

import socket
from collections.abc import Callable

import pytest
from portico.core.answers import LEFT, STRANGE, TWICE
from portico.doubts import DOUBTS_TIME
from portico.link import Link
from portico.targets.handoff import HandoffTarget
from svckit.handoff.codec import Connection

from .support.backs import back
from .support.linkrig import FORGED, HEAD, HandReplica, Owner, linked
from .support.reactor import HandReactor
from .support.wires import LISTENER, Answers, descriptors_of, tcp_pair

TCP_CLOSE = 7  # as the kernel numbers its states


def test_one_connection_twice_is_routed_once(reactor: HandReactor, replica: HandReplica, ready: Link, owner: Owner) -> None:
    client, accepted = tcp_pair()
    for number in (1, 2):
        replica.hand_back(number, accepted.fileno(), HEAD)
    reactor.settle()
    first, second = back(owner)
    assert (first.doubt, second.doubt) == (None, TWICE)
    first.close()  # given to another replica; and that one hands it back
    replica.hand_back(3, accepted.fileno(), HEAD)
    reactor.settle()
    assert back(owner)[2].doubt is None
    client.close()
    accepted.close()


def test_a_copy_comes_again_with_requests_that_nobody_sent(
    reactor: HandReactor, replica: HandReplica, ready: Link, owner: Owner
) -> None:
    """Not defended, and `docs/security.md` says so. Only whose it is cannot be made up, and with a reset it is over."""
    client, copy = tcp_pair()
    address = client.getsockname()
    for number in range(1, 5):
        if number == 3:
            client.close()  # our end is open
        replica.send(Connection(number, FORGED, LISTENER, b"GET /a/%d HTTP/1.1\r\n\r\n" % number), copy.fileno())
        reactor.settle()
        arrival = back(owner)[-1]
        assert (arrival.doubt, arrival.client) == (None, address)
        assert arrival.preface.startswith(b"GET /a/%d " % number)
        arrival.close()
    copy.send(b"to nobody")
    reactor.until(lambda: copy.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1) == bytes([TCP_CLOSE]))
    replica.hand_back(5, copy.fileno(), HEAD)
    reactor.settle()
    assert back(owner)[-1].doubt == LEFT
    copy.close()


def test_nothing_is_made_up_by_a_service_from_which_nothing_is_taken_back(
    reactor: HandReactor, replica: HandReplica, answers: Answers, make_target: Callable[..., HandoffTarget]
) -> None:
    """As often as it tries."""
    linked(reactor, make_target(hand_back=False), replica)
    client, copy = tcp_pair()
    for number in range(1, 4):
        replica.hand_back(number, copy.fileno(), b"GET /a/ HTTP/1.1\r\n\r\n")
        reactor.settle()
        assert answers.kinds == [STRANGE] * number
    client.close()
    copy.close()


def test_what_comes_with_hand_backs_is_bounded(
    reactor: HandReactor, replica: HandReplica, ready: Link, owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("portico.provenance.HANDED_BACK_BYTES", 2_500)
    pairs = [tcp_pair() for _ in range(4)]
    for number, (_, accepted) in enumerate(pairs[:3], 1):
        replica.hand_back(number, accepted.fileno(), b"x" * 1_000)
    reactor.settle()
    assert [each.doubt for each in back(owner)] == [None, None, STRANGE]
    while owner.returned_:
        owner.returned_.pop().close()
    replica.hand_back(4, pairs[3][1].fileno(), b"x" * 1_000)
    reactor.settle()
    assert [each.doubt for each in back(owner)] == [None]
    for client, accepted in pairs:
        client.close()
        accepted.close()


@pytest.mark.parametrize("sealed", [b"", bytes(16)], ids=["no seal", "a seal"])
def test_a_flood_of_what_is_doubted_ends_the_link(
    reactor: HandReactor,
    replica: HandReplica,
    ready: Link,
    owner: Owner,
    monkeypatch: pytest.MonkeyPatch,
    sealed: bytes,
) -> None:
    """They cost it nothing to make; each would hold a descriptor of ours for seconds, and write to the log."""
    monkeypatch.setattr("portico.doubts.DOUBTS", 5)
    pairs = [socket.socketpair() for _ in range(8)]
    for number, (_, theirs) in enumerate(pairs, 1):
        replica.send(Connection(number, FORGED, LISTENER, HEAD, None, sealed), theirs.fileno())
    reactor.settle()
    assert ready.breached
    assert ready.ended
    assert len(owner.returned_) <= 5
    while owner.returned_:
        owner.returned_.pop().close()
    assert [descriptors_of(theirs.fileno()) for _, theirs in pairs] == [[theirs.fileno()] for _, theirs in pairs]
    for pair in pairs:
        for end in pair:
            end.close()


def test_a_few_that_are_doubted_now_and_then_end_nothing(
    reactor: HandReactor, replica: HandReplica, ready: Link, owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("portico.doubts.DOUBTS", 5)
    ours, theirs = socket.socketpair()
    for number in range(1, 21):
        replica.hand_back(number, theirs.fileno(), HEAD)
        reactor.settle()
        reactor.advance(DOUBTS_TIME / 5)
    assert [each.doubt for each in back(owner)] == [STRANGE] * 20
    assert not ready.ended
    ours.close()
    theirs.close()
