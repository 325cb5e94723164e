"""The router's end of a link. The replica is played by hand over a real socket file, with one bad habit at a time."""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from portico.arrival import Arrival
from portico.balancing import Balancer
from portico.config import Handoff, Limits
from portico.core.answers import QUEUE_DRAINED
from portico.link import BATCH, Link
from portico.poller import READ, Poller
from portico.service import RoutedService
from portico.targets.handoff import SCAN_INTERVAL, SUSPENSION, HandoffTarget
from svckit.handoff import packets, socketfile
from svckit.handoff.cell import is_revoked, withdraw
from svckit.handoff.codec import (
    VERSION,
    Connection,
    Draining,
    Farewell,
    Hello,
    Load,
    Message,
    Routes,
    Taken,
    Welcome,
    decode,
    encode,
)

from .support.reactor import HandReactor
from .support.wires import LISTENER, Answers, Inbox, Logged, arrive, as_reactor, open_descriptors

PATTERNS = (("/static/", True), ("=/", True), ("/uploads/", False))
HEAD = b"GET /static/x HTTP/1.1\r\n\r\n"


class HandReplica:
    """A replica that does only what it is told to."""

    def __init__(self, folder: Path, name: str = "one", service: str = "static", capacity: int = 100) -> None:
        self.path = folder / f"{name}.sock"
        self.name, self.service, self.capacity = name, service, capacity
        self.listener = socketfile.bind(self.path)
        self.link: socket.socket | None = None
        self.taken_over: list[tuple[Connection, int]] = []
        self.cell = -1

    def accept(self) -> None:
        """The router has connected."""
        self.link, _ = self.listener.accept()

    def greet(self, version: int = VERSION, service: str | None = None) -> None:
        self.accept()
        self.send(Hello(version, self.capacity, service or self.service, self.name))

    def send(self, message: Message, descriptor: int | None = None) -> None:
        self.send_packet(encode(message), descriptor)

    def send_packet(self, packet: bytes, descriptor: int | None = None) -> None:
        assert self.link is not None
        packets.send(self.link, packet, descriptor)

    def hear(self) -> list[Message]:
        """All that the router has said; what came with descriptors is kept."""
        assert self.link is not None
        heard: list[Message] = []
        with suppress(BlockingIOError, ConnectionResetError):
            while True:
                packet, descriptor = packets.receive(self.link)
                if not packet:
                    break
                message = decode(packet)
                heard.append(message)
                if isinstance(message, Connection):
                    assert descriptor is not None
                    self.taken_over.append((message, descriptor))
                elif isinstance(message, Welcome):
                    assert descriptor is not None
                    self.cell = descriptor
                else:
                    assert descriptor is None
        return heard

    def ended(self) -> bool:
        """Whether the router has ended the link."""
        assert self.link is not None
        try:
            return packets.receive(self.link)[0] == b""
        except BlockingIOError:
            return False
        except ConnectionResetError:
            return True

    def hand_back(self, number: int, descriptor: int, unread: bytes = b"") -> None:
        self.send(Connection(number, ("127.0.0.1", 5), LISTENER, unread), descriptor)

    def die(self) -> None:
        """As a killed process does: everything is closed, the file stays."""
        if self.link is not None:
            self.link.close()
        self.link = None
        self.listener.close()
        for _, descriptor in self.taken_over:
            os.close(descriptor)
        self.taken_over.clear()
        if self.cell >= 0:
            os.close(self.cell)
            self.cell = -1


def numbers(replica: HandReplica) -> list[int]:
    """The numbers of all connections that have come to it."""
    replica.hear()
    return [message.number for message, _ in replica.taken_over]


class Owner:
    """Remembers what the link tells, in order."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.taken_: list[Arrival] = []
        self.returned_: list[Arrival] = []
        self.reclaimed: list[Arrival] | None = None
        self.on_returned: Callable[[], None] = lambda: None
        self.on_taken: Callable[[], None] = lambda: None

    def ready(self, link: Link) -> None:
        self.told.append("ready")

    def taken(self, link: Link, arrival: Arrival) -> None:
        self.told.append("taken")
        self.taken_.append(arrival)
        self.on_taken()

    def returned(self, link: Link, arrivals: list[Arrival]) -> None:
        self.told.append("returned")
        self.returned_ += arrivals
        self.on_returned()

    def ended(self, link: Link, reclaimed: list[Arrival]) -> None:
        self.told.append("ended")
        self.reclaimed = reclaimed
        if link.leftover is not None:
            link.leftover.close()


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
    link = Link(sock, str(replica.path), "static", PATTERNS, owner, poller, reactor.seconds)
    yield link
    link.end()
    assert len(poller) == 0
    assert owner.told.count("ended") == 1


@pytest.fixture
def ready(reactor: HandReactor, replica: HandReplica, link: Link) -> Link:
    replica.greet()
    reactor.settle()
    replica.hear()
    return link


def come(preface: bytes = HEAD) -> tuple[Inbox, Arrival]:
    client, arrival = arrive(preface)
    return Inbox(client), arrival


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
    before = open_descriptors()
    for message in (Load(3), Taken(0, 4)):
        replica.send(message, 0)
    replica.send_packet(b"\xff", 0)
    reactor.settle()
    assert ready.ended
    assert open_descriptors() == before - 2  # the link and its cell


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


def fill(link: Link, arrival: Arrival) -> int:
    """Offer until the replica's queue is full."""
    arrival.preface = b"x" * 60_000
    count = 0
    while link.offer(arrival):
        count += 1
        assert count < 10_000
    return count


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


# -- draining


def test_draining_gets_a_farewell(reactor: HandReactor, replica: HandReplica, ready: Link, owner: Owner) -> None:
    _, arrival = come()
    assert ready.offer(arrival)
    replica.send(Draining())
    replica.send(Draining())
    reactor.settle()
    assert not ready.willing
    assert ready.status()["state"] == "draining"
    assert [type(message) for message in replica.hear()] == [Connection, Farewell]
    replica.send(Taken(1, 1))  # on its way before the farewell: still to be taken
    reactor.settle()
    assert owner.taken_ == [arrival]
    assert not ready.ended


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


def test_a_hand_back_waits_until_taken_can_be_said(
    reactor: HandReactor, replica: HandReplica, ready: Link, owner: Owner
) -> None:
    _, arrival = come()
    count = fill(ready, arrival)
    replica.hand_back(1, arrival.sock.fileno(), b"first")
    reactor.settle()
    replica.hand_back(2, arrival.sock.fileno(), b"second")
    reactor.settle()
    assert owner.returned_ == []
    assert len(replica.hear()) == count
    reactor.settle()
    assert replica.hear()[-1] == Taken(2, 0)
    assert [each.preface for each in owner.returned_] == [b"first", b"second"]
    for each in owner.returned_:
        each.close()


def test_a_replica_that_dies_has_let_go_of_what_it_handed_back(
    reactor: HandReactor, replica: HandReplica, ready: Link, owner: Owner
) -> None:
    client, arrival = come()
    count = fill(ready, arrival)
    replica.hand_back(1, arrival.sock.fileno(), b"first")
    reactor.settle()
    replica.hand_back(2, arrival.sock.fileno(), b"second")
    replica.die()
    reactor.settle()
    assert [each.preface for each in owner.returned_] == [b"first", b"second"]
    assert len(owner.reclaimed or []) == count
    assert not client.has_ended()
    for each in owner.returned_:
        each.close()


def test_a_replica_that_dies_between_two_looks_has_let_go_too(
    reactor: HandReactor, replica: HandReplica, ready: Link, owner: Owner
) -> None:
    _, arrival = come()
    fill(ready, arrival)
    replica.hand_back(1, arrival.sock.fileno(), b"first")
    reactor.settle()
    replica.hand_back(2, arrival.sock.fileno(), b"second")
    replica.die()
    ready._on_events(READ)  # the look was due before it died: nothing says yet that it is writable
    assert [each.preface for each in owner.returned_] == [b"first", b"second"]
    assert ready.ended
    for each in owner.returned_:
        each.close()


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
    assert open_descriptors() - len(replica.taken_over) - 1 < before  # neither descriptor is left open here
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


# -- revoking


def test_revoke_tells_the_replica_and_takes_back_exactly_what_was_not_taken(
    reactor: HandReactor, replica: HandReplica, ready: Link, owner: Owner
) -> None:
    arrivals = [come()[1] for _ in range(3)]
    for arrival in arrivals:
        assert ready.offer(arrival)
    replica.send(Taken(1, 1))  # said in time, though nobody has read it yet
    ready.revoke()
    assert owner.taken_ == arrivals[:1]
    assert owner.reclaimed == arrivals[1:]
    assert owner.told == ["ready", "taken", "ended"]
    assert is_revoked(replica_cell(replica))
    with pytest.raises(BrokenPipeError):
        replica.send(Taken(3, 3))  # too late


def test_from_the_revocation_on_nothing_can_be_said(
    reactor: HandReactor, replica: HandReplica, ready: Link, owner: Owner
) -> None:
    arrivals = [come()[1] for _ in range(2)]
    for arrival in arrivals:
        assert ready.offer(arrival)
    replica.send(Taken(1, 1))
    refused: list[bool] = []

    def say_more() -> None:
        """Between what is heard last and the end."""
        try:
            replica.send(Taken(2, 2))
        except BrokenPipeError:
            refused.append(True)

    owner.on_taken = say_more
    ready.revoke()
    assert refused == [True]
    assert owner.reclaimed == arrivals[1:]


def replica_cell(replica: HandReplica) -> int:
    replica.hear()
    return replica.cell


def test_the_end_without_a_revocation_leaves_the_cell_alone(replica: HandReplica, ready: Link) -> None:
    ready.end()
    assert not is_revoked(replica.cell)


# -- and the target above: who gets what a replica did not take


@pytest.fixture
def service(reactor: HandReactor, answers: Answers) -> RoutedService:
    return RoutedService("static", Limits(queue_timeout=5.0), as_reactor(reactor), answers)


@pytest.fixture
def target(
    reactor: HandReactor, poller: Poller, service: RoutedService, folder: Path, logged: Logged
) -> Iterator[HandoffTarget]:
    returned: list[Arrival] = []
    target = HandoffTarget(
        service, folder, PATTERNS, 2.0, poller, as_reactor(reactor), returned.append, logged.log, Balancer(Handoff())
    )
    service.target = target
    yield target
    target.close()


def greet(reactor: HandReactor, *replicas: HandReplica) -> None:
    reactor.advance(SCAN_INTERVAL)
    for replica in replicas:
        replica.greet()
    reactor.settle()
    for replica in replicas:
        replica.hear()


def test_what_a_sleeping_replica_did_not_take_goes_to_another(
    reactor: HandReactor, folder: Path, target: HandoffTarget, service: RoutedService, logged: Logged
) -> None:
    asleep = HandReplica(folder, "asleep")
    target.start()
    greet(reactor, asleep)
    client, arrival = come()
    service.put_through(arrival)
    awake = HandReplica(folder, "awake")
    greet(reactor, awake)
    reactor.advance(1.5)
    assert awake.hear() == []
    reactor.pump([SCAN_INTERVAL] * 3)  # take_timeout is over
    reactor.settle()
    asleep.hear()
    assert is_revoked(asleep.cell)
    assert awake.hear() == [Connection(1, arrival.client, LISTENER, HEAD)]
    awake.send(Taken(1, 1))
    reactor.settle()
    assert [(line["how"], line["replica"]) for line in logged.lines] == [("handed over", "awake")]
    assert arrival.sock.fileno() < 0  # our copy is gone
    os.write(awake.taken_over[0][1], b"served")
    assert client.read() == b"served"
    assert not client.ended
    reactor.pump([SCAN_INTERVAL] * int(SUSPENSION / SCAN_INTERVAL + 2))  # it gets another chance, after a while
    asleep.greet()
    reactor.settle()
    assert [each["state"] for each in replicas_of(target)] == ["ready", "ready"]
    for each in (asleep, awake):
        each.die()


def replicas_of(target: HandoffTarget) -> list[dict[str, object]]:
    replicas = target.status()["replicas"]
    assert isinstance(replicas, list)
    return replicas


def test_a_suspended_replica_is_not_linked_at_once(reactor: HandReactor, folder: Path, target: HandoffTarget) -> None:
    mute = HandReplica(folder, "mute")
    target.start()
    reactor.advance(SCAN_INTERVAL)
    mute.accept()
    reactor.pump([SCAN_INTERVAL] * 11)  # no HELLO within take_timeout
    reactor.settle()
    assert replicas_of(target) == []
    reactor.advance(SCAN_INTERVAL)
    assert replicas_of(target) == []
    reactor.pump([SCAN_INTERVAL] * 5)
    assert len(replicas_of(target)) == 1
    mute.die()


def test_a_dead_replicas_file_is_no_replica(reactor: HandReactor, folder: Path, target: HandoffTarget) -> None:
    HandReplica(folder, "dead").die()
    assert list(folder.glob("*.sock"))
    target.start()
    reactor.advance(SCAN_INTERVAL)
    assert replicas_of(target) == []


def test_a_folder_that_is_not_there_yet(reactor: HandReactor, folder: Path, target: HandoffTarget) -> None:
    folder.rmdir()
    target.start()
    reactor.advance(SCAN_INTERVAL)
    folder.mkdir()
    replica = HandReplica(folder)
    greet(reactor, replica)
    assert [each["state"] for each in replicas_of(target)] == ["ready"]
    replica.die()


def test_the_reported_load_decides(reactor: HandReactor, folder: Path, target: HandoffTarget, service: RoutedService) -> None:
    one, two = HandReplica(folder, "one"), HandReplica(folder, "two", capacity=2)
    target.start()
    greet(reactor, one, two)
    one.send(Load(5))
    two.send(Load(1))
    reactor.settle()
    arrivals = [come()[1] for _ in range(3)]
    for arrival in arrivals:
        service.put_through(arrival)
    assert len(two.hear()) == 1  # and then it is full
    assert len(one.hear()) == 2
    for each in (one, two):
        each.die()


def test_a_drain_waits_for_taken(reactor: HandReactor, folder: Path, target: HandoffTarget, service: RoutedService) -> None:
    replica = HandReplica(folder)
    target.start()
    greet(reactor, replica)
    _, arrival = come()
    service.put_through(arrival)
    done: list[None] = []
    target.stop().addCallback(done.append)  # in the same instant
    assert done == []
    replica.hear()
    replica.send(Taken(1, 1))
    reactor.settle()
    assert done == [None]
    assert replica.ended()
    replica.die()


def test_a_drain_without_replicas_is_over_at_once(target: HandoffTarget) -> None:
    target.start()
    done: list[None] = []
    target.stop().addCallback(done.append)
    assert done == [None]


def test_a_drain_gives_up_on_a_replica_that_takes_nothing(
    reactor: HandReactor, folder: Path, target: HandoffTarget, service: RoutedService, answers: Answers
) -> None:
    replica = HandReplica(folder)
    target.start()
    greet(reactor, replica)
    _, arrival = come()
    service.put_through(arrival)
    done: list[None] = []
    target.stop().addCallback(done.append)
    reactor.pump([SCAN_INTERVAL] * 12)
    assert done == [None]
    service.refuse_queued()
    assert answers.given == [(arrival, QUEUE_DRAINED)]
    replica.die()


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
