"""What a compromised replica can try with what it hands back, and how far each gets. `docs/security.md` has the list."""

import os
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from portico.arrival import HandedBack
from portico.core.answers import LEFT, STRANGE, STRANGE_AND_SILENT, TWICE
from portico.doubts import DOUBTS_TIME
from portico.link import Link
from portico.poller import Poller
from portico.pump import NO_PIPES, join
from portico.targets.handoff import HandoffTarget
from svckit.handoff.codec import Connection, Taken, Tls

from .support.linkrig import FORGED, HEAD, HandReplica, Owner, linked
from .support.reactor import HandReactor
from .support.wires import LISTENER, Answers, Inbox, arrive, descriptors_of, reset, tcp_pair

TCP_CLOSE = 7  # as the kernel numbers its states


def back(owner: Owner) -> list[HandedBack]:
    return [arrival for arrival in owner.returned_ if isinstance(arrival, HandedBack)]


# -- what it hands back


def descriptors(folder: Path) -> Iterator[tuple[str, int]]:
    """Nothing of which a router ever gave."""
    yield "file", os.open(folder / "file", os.O_RDWR | os.O_CREAT)
    yield "folder", os.open(folder, os.O_RDONLY)
    yield "memory", os.memfd_create("x")
    yield "pipe", os.pipe()[0]
    yield "terminal", os.open("/dev/null", os.O_RDWR)
    yield "datagrams", socket.socket(socket.AF_INET, socket.SOCK_DGRAM).detach()
    yield "local datagrams", socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).detach()
    yield "packets", socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)[0].detach()
    yield "netlink", socket.socket(socket.AF_NETLINK, socket.SOCK_RAW).detach()


KINDS_OF_DESCRIPTORS = ["file", "folder", "memory", "pipe", "terminal", "datagrams", "local datagrams", "packets", "netlink"]


@pytest.mark.parametrize("kind", KINDS_OF_DESCRIPTORS)
def test_what_is_no_connection_ends_the_link_and_is_closed(
    reactor: HandReactor, replica: HandReplica, ready: Link, owner: Owner, folder: Path, kind: str
) -> None:
    made = dict(descriptors(folder))
    descriptor = made[kind]
    before = descriptors_of(descriptor)
    replica.hand_back(1, descriptor, HEAD)
    reactor.settle()
    assert ready.breached
    assert ready.ended
    assert owner.returned_ == []
    assert descriptors_of(descriptor) == before
    for each in made.values():
        os.close(each)


def test_a_socket_that_never_was_connected_is_not_routed(
    reactor: HandReactor, replica: HandReplica, ready: Link, owner: Owner
) -> None:
    with socket.socket() as idle, socket.create_server(("127.0.0.1", 0)) as listening:
        replica.hand_back(1, idle.fileno(), HEAD)
        replica.hand_back(2, listening.fileno(), HEAD)
        reactor.settle()
    assert [each.doubt for each in back(owner)] == [LEFT, LEFT]


def test_a_client_that_has_gone_meanwhile_is_no_breach(
    reactor: HandReactor, replica: HandReplica, ready: Link, owner: Owner
) -> None:
    client, accepted = tcp_pair()
    reset(client)
    replica.hand_back(1, accepted.fileno())
    accepted.close()
    reactor.settle()
    assert [each.doubt for each in back(owner)] == [LEFT]
    assert not ready.ended


def test_client_and_listener_are_asked_of_the_kernel(
    reactor: HandReactor, replica: HandReplica, ready: Link, owner: Owner
) -> None:
    client, accepted = tcp_pair()
    replica.send(Connection(1, FORGED, ("203.0.113.1", 443), HEAD, Tls("forged.example", "h2")), accepted.fileno())
    reactor.settle()
    (arrival,) = back(owner)
    assert arrival.doubt is None
    assert (arrival.client, arrival.listener) == (client.getsockname(), client.getpeername())
    assert arrival.tls is None  # nor is it https because a service says so
    client.close()
    accepted.close()


@pytest.mark.parametrize("unread", [HEAD, b""])
def test_a_local_socket_of_its_own_is_not_routed(
    reactor: HandReactor, replica: HandReplica, ready: Link, owner: Owner, unread: bytes
) -> None:
    ours, theirs = socket.socketpair()
    replica.send(Connection(1, FORGED, LISTENER, unread, Tls("one.example", "")), theirs.fileno())
    reactor.settle()
    assert [each.doubt for each in back(owner)] == [STRANGE if unread else STRANGE_AND_SILENT]
    ours.close()
    theirs.close()


def test_a_connection_of_another_network_is_not_routed(
    reactor: HandReactor, replica: HandReplica, ready: Link, owner: Owner
) -> None:
    """As one that a service has made in the network namespace of its own container."""
    ready._provenance._networks = {b"elsewhere"}
    client, accepted = tcp_pair()
    replica.hand_back(1, accepted.fileno(), HEAD)
    reactor.settle()
    assert [each.doubt for each in back(owner)] == [STRANGE]
    client.close()
    accepted.close()


def sealed(reactor: HandReactor, replica: HandReplica, link: Link, tls: bool) -> tuple[socket.socket, Connection, int]:
    """A connection whose client the kernel does not know, given to the replica; the client's end, message and descriptor."""
    client, arrival = arrive(HEAD)
    arrival.client, arrival.named = ("192.0.2.7", 7), True
    if tls:
        arrival.learn_tls(Tls("one.example", "http/1.1"))
    assert link.offer(arrival)
    replica.hear()
    message, descriptor = replica.taken_over[-1]
    assert message.seal
    replica.send(Taken(message.number, 1))
    reactor.settle()
    arrival.close()
    return client, message, descriptor


@pytest.mark.parametrize("tls", [False, True])
def test_what_the_kernel_does_not_know_comes_back_sealed(
    reactor: HandReactor, replica: HandReplica, ready: Link, owner: Owner, tls: bool
) -> None:
    client, message, descriptor = sealed(reactor, replica, ready, tls)
    replica.send(message._replace(number=1, unread=b"GET /next"), descriptor)
    reactor.settle()
    (arrival,) = back(owner)
    assert arrival.doubt is None
    assert (arrival.client, arrival.preface) == (("192.0.2.7", 7), b"GET /next")
    assert arrival.tls == (Tls("one.example", "http/1.1") if tls else None)
    client.close()


FORGERIES: dict[str, Callable[[Connection], Connection]] = {
    "client": lambda message: message._replace(client=FORGED),
    "listener": lambda message: message._replace(listener=("192.0.2.1", 443)),
    "name": lambda message: message._replace(tls=Tls("other.example", "http/1.1")),
    "protocol": lambda message: message._replace(tls=Tls("one.example", "h2")),
    "no tls": lambda message: message._replace(tls=None),
    "seal": lambda message: message._replace(seal=bytes(16)),
    "short seal": lambda message: message._replace(seal=message.seal[:-1]),
    "long seal": lambda message: message._replace(seal=message.seal + b"\0"),
}


@pytest.mark.parametrize("forgery", FORGERIES.values(), ids=FORGERIES)
def test_forged_facts_are_not_routed(
    reactor: HandReactor,
    replica: HandReplica,
    ready: Link,
    owner: Owner,
    forgery: Callable[[Connection], Connection],
) -> None:
    client, message, descriptor = sealed(reactor, replica, ready, tls=True)
    replica.send(forgery(message)._replace(number=1), descriptor)
    reactor.settle()
    assert [each.doubt for each in back(owner)] == [STRANGE]
    client.close()


def test_a_seal_holds_for_one_socket(reactor: HandReactor, replica: HandReplica, ready: Link, owner: Owner) -> None:
    client, message, _ = sealed(reactor, replica, ready, tls=True)
    other, accepted = tcp_pair()
    replica.send(message._replace(number=1), accepted.fileno())
    reactor.settle()
    assert [each.doubt for each in back(owner)] == [STRANGE]
    for each in (client, other, accepted):
        each.close()


def test_without_its_seal_a_proxied_client_is_its_proxy(
    reactor: HandReactor, replica: HandReplica, ready: Link, owner: Owner
) -> None:
    client, message, descriptor = sealed(reactor, replica, ready, tls=False)
    replica.send(message._replace(number=1, seal=b"", client=FORGED), descriptor)
    reactor.settle()
    assert [each.client for each in back(owner)] == [client.getsockname()]
    client.close()


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


def test_a_linger_that_it_left_on_the_socket_is_taken_back(
    reactor: HandReactor, replica: HandReplica, ready: Link, owner: Owner
) -> None:
    """With one set, our close(2) would wait for a client that takes nothing, and with it every other connection."""
    assert seconds_to_wait(reactor, replica, owner, 1_000) == 0


def test_a_reset_that_is_meant_stays(reactor: HandReactor, replica: HandReplica, ready: Link, owner: Owner) -> None:
    assert seconds_to_wait(reactor, replica, owner, 0) == "reset"


def seconds_to_wait(reactor: HandReactor, replica: HandReplica, owner: Owner, seconds: int) -> int | str:
    """What the socket says when the router has closed one that a replica left with SO_LINGER."""
    client, accepted = tcp_pair()
    accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, seconds))
    replica.hand_back(1, accepted.fileno(), HEAD)
    reactor.settle()
    (arrival,) = back(owner)
    kept = socket.socket(fileno=os.dup(arrival.sock.fileno()))
    arrival.close()
    lingers, found = struct.unpack("ii", kept.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8))
    for each in (client, accepted, kept):
        each.close()
    return "reset" if lingers and not found else found * lingers


# -- what has been with a replica, on its way to a tcp server


def test_what_others_may_hold_is_copied_and_never_spliced(reactor: HandReactor, poller: Poller) -> None:
    """splice(2) waits where the socket's flags say so, and whoever kept a descriptor can change the flags."""
    (client, shared), (server, ours) = tcp_pair(), tcp_pair()
    tunnel = join(shared, ours, b"", poller, NO_PIPES, lambda *_: None)
    shared.setblocking(True)  # as the replica would
    inbox = Inbox(server)
    body = os.urandom(1 << 20)
    client.setblocking(False)
    sent = 0
    while len(inbox.read()) < len(body):
        if sent < len(body):
            with suppress(BlockingIOError):
                sent += client.send(body[sent:])
        reactor.turn()
    assert inbox.data == body
    assert not tunnel.client.can_splice()
    tunnel.close("client", reset=False)
    client.close()
    server.close()
