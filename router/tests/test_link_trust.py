"""What a compromised replica can try through its link, and how far each gets. `docs/security.md` has the list."""

import os
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
from portico.arrival import Arrival, HandedBack
from portico.balancing import Balancer
from portico.config import Handoff, Limits
from portico.core.answers import LEFT, STRANGE, STRANGE_AND_SILENT, TWICE
from portico.doubts import DOUBTS, DOUBTS_TIME
from portico.link import BATCH, Link
from portico.poller import Poller
from portico.provenance import Provenance
from portico.pump import NO_PIPES, join
from portico.service import RoutedService
from portico.targets import handoff
from portico.targets.handoff import LONGEST_SUSPENSION, SCAN_INTERVAL, SUSPENSION, HandoffTarget
from svckit.handoff import socketfile
from svckit.handoff.codec import MESSAGE_LIMIT, VERSION, Connection, Draining, Hello, Load, Taken, Tls, encode

from .support.reactor import HandReactor
from .support.wires import (
    LISTENER,
    Answers,
    Inbox,
    Logged,
    arrive,
    as_reactor,
    descriptors_of,
    open_descriptors,
    reset,
    tcp_pair,
)
from .test_link import HEAD, PATTERNS, HandReplica, Owner, come

FORGED = ("203.0.113.66", 666)
TCP_CLOSE = 7  # as the kernel numbers its states


@pytest.fixture
def owner() -> Owner:
    return Owner()


@pytest.fixture
def replica(folder: Path) -> Iterator[HandReplica]:
    replica = HandReplica(folder)
    yield replica
    replica.die()


@pytest.fixture
def link(reactor: HandReactor, poller: Poller, replica: HandReplica, owner: Owner) -> Iterator[Link]:
    sock = socketfile.connect(replica.path)
    link = Link(sock, str(replica.path), "static", PATTERNS, owner, poller, reactor.seconds, Provenance("static", b"k"))
    yield link
    link.end()
    for arrival in owner.returned_:
        arrival.close()


@pytest.fixture
def ready(reactor: HandReactor, replica: HandReplica, link: Link) -> Link:
    replica.greet()
    reactor.settle()
    replica.hear()
    return link


def back(owner: Owner) -> list[HandedBack]:
    return [arrival for arrival in owner.returned_ if isinstance(arrival, HandedBack)]


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
    arrival.close()
    before = open_descriptors()
    reactor.settle()
    assert link.ended
    assert owner.returned_ == []
    assert open_descriptors() == before - 2  # the link and its cell; what came was closed


# -- sizes, counts, numbers


def test_a_message_over_the_limit_ends_the_link(reactor: HandReactor, replica: HandReplica, ready: Link, owner: Owner) -> None:
    _, arrival = come()
    assert ready.offer(arrival)
    assert replica.link is not None
    replica.link.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    message = Connection(1, FORGED, LISTENER, b"x" * MESSAGE_LIMIT)
    replica.send(message, arrival.sock.fileno())
    before = open_descriptors()
    reactor.settle()
    assert ready.breached
    assert owner.returned_ == []
    assert owner.reclaimed == [arrival]
    assert open_descriptors() <= before


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


# -- the folder and the target


@pytest.fixture
def service(reactor: HandReactor, answers: Answers) -> RoutedService:
    return RoutedService("static", Limits(queue_timeout=5.0), as_reactor(reactor), answers)


@pytest.fixture
def make_target(
    reactor: HandReactor, poller: Poller, service: RoutedService, folder: Path, logged: Logged
) -> Iterator[Callable[..., HandoffTarget]]:
    made: list[HandoffTarget] = []

    def make(**settings: object) -> HandoffTarget:
        target = HandoffTarget(
            service,
            folder,
            PATTERNS,
            2.0,
            poller,
            as_reactor(reactor),
            readmitted.append,
            logged.log,
            Balancer(Handoff()),
            Handoff(**settings),  # type: ignore[arg-type]
        )
        service.target = target
        made.append(target)
        target.start()
        return target

    readmitted: list[Arrival] = []
    yield make
    for target in made:
        target.close()
    for arrival in readmitted:
        arrival.close()


def linked(reactor: HandReactor, target: HandoffTarget, *replicas: HandReplica) -> None:
    reactor.advance(SCAN_INTERVAL)
    for replica in replicas:
        replica.greet()
    reactor.settle()
    for replica in replicas:
        replica.hear()
    assert len(target._links) == len(replicas)


def test_another_user_s_socket_is_not_linked(
    reactor: HandReactor, folder: Path, replica: HandReplica, make_target: Callable[..., HandoffTarget]
) -> None:
    target = make_target(uid=os.getuid() + 1)
    for _ in range(20):
        reactor.advance(SCAN_INTERVAL)
    assert target._links == {}


def test_its_own_user_s_socket_is_linked(
    reactor: HandReactor, replica: HandReplica, make_target: Callable[..., HandoffTarget]
) -> None:
    linked(reactor, make_target(uid=os.getuid()), replica)


@pytest.mark.parametrize(("owner_of_folder", "expected"), [(0, None), (65_534, None), (12_345, 12_345)])
def test_whom_the_folder_belongs_to(
    make_target: Callable[..., HandoffTarget], owner_of_folder: int, expected: int | None
) -> None:
    assert make_target()._uid(owner_of_folder) == expected
    assert make_target()._uid(os.getuid()) is None
    assert make_target(uid=7)._uid(owner_of_folder) == 7


def test_a_symbolic_link_is_not_followed(reactor: HandReactor, folder: Path, make_target: Callable[..., HandoffTarget]) -> None:
    (folder / "other").mkdir()
    victim = HandReplica(folder / "other", "victim", "uploads")
    (folder / "evil.sock").symlink_to(victim.path)
    target = make_target()
    reactor.advance(SCAN_INTERVAL)
    assert target._links == {}
    with pytest.raises(BlockingIOError):
        victim.listener.accept()
    victim.die()


def test_another_service_s_socket_in_the_folder_gets_nothing(
    reactor: HandReactor, folder: Path, service: RoutedService, make_target: Callable[..., HandoffTarget]
) -> None:
    planted = HandReplica(folder, "planted", "uploads")
    target = make_target()
    reactor.advance(SCAN_INTERVAL)
    planted.greet()
    reactor.settle()
    assert target._links == {}
    planted.die()


def test_more_replicas_than_there_may_be(reactor: HandReactor, folder: Path, make_target: Callable[..., HandoffTarget]) -> None:
    target = make_target()
    target.heed(Limits(replicas=3))
    replicas = [HandReplica(folder, f"r{number}") for number in range(5)]
    for _ in range(3):
        reactor.advance(SCAN_INTERVAL)
    assert len(target._links) == 3
    for replica in replicas:
        replica.die()


def test_one_look_links_so_many(
    reactor: HandReactor, folder: Path, make_target: Callable[..., HandoffTarget], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handoff, "LINKS_AT_ONCE", 2)
    replicas = [HandReplica(folder, f"r{number}") for number in range(5)]
    target = make_target()
    assert len(target._links) == 2
    reactor.advance(SCAN_INTERVAL)
    assert len(target._links) == 4
    for replica in replicas:
        replica.die()


def test_a_folder_full_of_files_costs_one_bounded_look(
    reactor: HandReactor, folder: Path, make_target: Callable[..., HandoffTarget], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handoff, "ENTRIES", 10)
    seen: list[str] = []
    monkeypatch.setattr(handoff.socketfile, "connect", lambda path: seen.append(path) or _refuse())
    for number in range(30):
        (folder / f"{number}.sock").touch()
    make_target()
    assert len(seen) == 10


def test_dead_files_do_not_keep_a_living_replica_waiting(
    reactor: HandReactor, folder: Path, make_target: Callable[..., HandoffTarget], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handoff, "TRIES_AT_ONCE", 4)
    paths = [str(folder / f"dead{number}.sock") for number in range(10)]
    living, tried = str(folder / "living.sock"), list[str]()

    def scandir(folder: Path) -> nullcontext[list[SimpleNamespace]]:
        """The living one comes last, each time."""
        return nullcontext([SimpleNamespace(path=path, name=path, inode=partial(int, inode)) for path, inode in inodes.items()])

    def connect(path: str) -> socket.socket:
        tried.append(path)
        if path != living:
            raise ConnectionRefusedError
        return pair[0]

    inodes = {path: number for number, path in enumerate(paths)}
    monkeypatch.setattr(handoff.os, "scandir", scandir)
    monkeypatch.setattr(handoff.socketfile, "connect", connect)
    pair = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    target = make_target()
    assert tried == paths[:4]
    reactor.pump([SCAN_INTERVAL] * 2)
    assert tried == [*paths, *paths[:2]]  # each in its turn
    inodes[living] = 77
    reactor.advance(SCAN_INTERVAL)
    assert tried[12:] == [living, *paths[2:5]]  # one that has not been tried comes first
    assert list(target._links) == [living]
    inodes[paths[7]] = 78  # another file of that name
    reactor.advance(SCAN_INTERVAL)
    assert tried[16:] == [paths[7], paths[5], paths[6], paths[8]]
    pair[1].close()


def test_dead_files_do_not_count_as_links(
    reactor: HandReactor, folder: Path, make_target: Callable[..., HandoffTarget]
) -> None:
    for number in range(60):
        HandReplica(folder, f"dead{number}").die()
    living = [HandReplica(folder, f"living{number}") for number in range(3)]
    target = make_target()  # which looks once
    assert len(target._links) == 3
    for replica in living:
        replica.die()


def _refuse() -> socket.socket:
    raise ConnectionRefusedError


def test_who_breaks_the_protocol_is_left_alone_longer_each_time(
    reactor: HandReactor, replica: HandReplica, make_target: Callable[..., HandoffTarget]
) -> None:
    target = make_target()
    waits: list[float] = []
    for _ in range(9):
        before = reactor.seconds()
        while not target._links:
            reactor.advance(SCAN_INTERVAL)
        waits.append(round(reactor.seconds() - before))
        replica.greet()
        replica.send_packet(b"\xff")
        reactor.settle()
        assert target._links == {}
    assert waits == [0, SUSPENSION, 2, 4, 8, 16, 32, LONGEST_SUSPENSION, LONGEST_SUSPENSION]


def test_what_is_on_its_way_to_one_service_is_bounded_also_after_its_links_have_ended(
    reactor: HandReactor, replica: HandReplica, service: RoutedService, make_target: Callable[..., HandoffTarget]
) -> None:
    """Descriptors in the queue of a replica that never reads count against the router's user, and so against all services."""
    target = make_target()
    target._most_on_the_way = 3
    linked(reactor, target, replica)
    arrivals = [come()[1] for _ in range(5)]
    for arrival in arrivals[:4]:
        service.put_through(arrival)
    assert (target._offered, service.queued) == (3, 1)
    reactor.pump([SCAN_INTERVAL] * 12)  # take_timeout is over, the link is given up
    assert (target._offered, target._leftovers.count) == (0, 3)
    assert service.queued == 4
    asleep, replica.link = replica.link, None
    assert asleep is not None
    reactor.pump([SCAN_INTERVAL] * 6)  # and it is linked again, though nothing more goes to it
    replica.greet()
    reactor.settle()
    assert replica.hear()
    assert (target._offered, service.queued) == (0, 4)
    asleep.close()  # now they are out of its queue
    reactor.advance(SCAN_INTERVAL)
    assert target._leftovers.count == 0
    assert (target._offered, service.queued) == (3, 1)
    replica.hear()
    replica.send(Taken(3, 3))
    reactor.settle()
    assert (target._offered, service.queued) == (1, 0)  # what waited goes on at once
    service.put_through(arrivals[4])


def test_a_service_from_which_nothing_is_taken_back(
    reactor: HandReactor, replica: HandReplica, answers: Answers, make_target: Callable[..., HandoffTarget]
) -> None:
    linked(reactor, make_target(hand_back=False), replica)
    pairs = [tcp_pair() for _ in range(2)]
    for number, (unread, (_, accepted)) in enumerate(zip((HEAD, b""), pairs, strict=True), 1):
        replica.hand_back(number, accepted.fileno(), unread)
    reactor.settle()
    assert answers.kinds == [STRANGE, STRANGE_AND_SILENT]
    assert Taken(2, 0) in replica.hear()
    for client, accepted in pairs:
        client.close()
        accepted.close()


def test_what_cannot_be_told_is_answered_and_logged_and_the_link_goes_on(
    reactor: HandReactor, replica: HandReplica, answers: Answers, make_target: Callable[..., HandoffTarget]
) -> None:
    target = make_target()
    linked(reactor, target, replica)
    ours, theirs = socket.socketpair()
    replica.hand_back(1, theirs.fileno(), HEAD)
    theirs.close()
    reactor.settle()
    assert answers.kinds == [STRANGE]
    assert Inbox(ours).has_ended()
    assert len(target._links) == 1
    ours.close()


def test_who_floods_with_what_is_doubted_is_left_alone_and_holds_few_descriptors(
    reactor: HandReactor, replica: HandReplica, answers: Answers, make_target: Callable[..., HandoffTarget]
) -> None:
    target = make_target()
    linked(reactor, target, replica)
    ours, theirs = socket.socketpair()
    for number in range(1, DOUBTS + 2):
        replica.hand_back(number, theirs.fileno(), HEAD)
        if not number % BATCH:
            reactor.settle()
            replica.hear()
    reactor.settle()
    assert target._links == {}
    assert set(target._suspended) == {str(replica.path)}
    assert 0 < len(answers.given) <= DOUBTS
    ours.close()
    theirs.close()


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
