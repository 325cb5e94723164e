"""A replica's end of a link, over a real SOCK_SEQPACKET pair, with the router played by hand."""

import errno
import os
import socket
from collections.abc import Callable, Iterator

import pytest
from handoff_support import CLIENT, LISTENER, FakeReactor, PlayedRouter, link_pair, no_descriptor_leaks
from svckit.handoff import packets
from svckit.handoff.cell import Cell, is_revoked
from svckit.handoff.codec import VERSION, Connection, Draining, Farewell, Hello, Load, Taken, Welcome, encode, encode_routes
from svckit.handoff.link import BATCH, RETRY, TAKE_TIMEOUT, Link, Returned

HELLO = Hello(1, 100, "static", "a-1")


class Owner:
    """Writes down what the link tells."""

    def __init__(self) -> None:
        self.adopted: list[tuple[int, bytes]] = []
        self.sockets: list[socket.socket] = []
        self.told: list[str] = []
        self.patterns: tuple[tuple[str, bool], ...] | None = None
        self.given_back: list[Returned] = []
        self.on_adopt: Callable[[int], None] = lambda number: None

    def hello(self) -> Hello:
        return HELLO

    def load(self) -> int:
        return len(self.adopted)

    def adopt(self, connection: Connection, descriptor: int, link: Link) -> None:
        assert (connection.client, connection.listener) == (CLIENT, LISTENER)
        self.adopted.append((connection.number, connection.unread))
        self.sockets.append(socket.socket(fileno=descriptor))
        self.on_adopt(connection.number)

    def routes(self, patterns: tuple[tuple[str, bool], ...]) -> None:
        if any(pattern == "wrong" for pattern, _ in patterns):
            raise ValueError("not a pattern")
        self.patterns = patterns

    def welcomed(self, link: Link) -> None:
        self.told.append("welcomed")

    def farewell(self, link: Link) -> None:
        self.told.append("farewell")

    def ended(self, link: Link, returned: list[Returned]) -> None:
        self.told.append("ended")
        self.given_back += returned


class Table:
    """A link, its two sides, and connections to hand over."""

    def __init__(self) -> None:
        theirs, ours = link_pair()
        self.reactor, self.owner, self.router = FakeReactor(), Owner(), PlayedRouter(theirs)
        self.link = Link(ours, self.owner, self.reactor)  # type: ignore[arg-type]
        self.client, self.connection = socket.socketpair()
        self.client.setblocking(False)

    def back(self, unread: bytes = b"") -> Returned:
        return Returned(self.connection.dup(), CLIENT, LISTENER, unread)

    def fill(self) -> None:
        """The router reads nothing: say things until there is no room for one more."""
        while not self.link._unsent:
            self.link.say_load()

    def cut(self) -> bool:
        """Whether the client's connection is over, for whoever has a descriptor of it."""
        try:
            return self.client.recv(1) == b""
        except BlockingIOError:
            return False

    def clear(self) -> None:
        self.link.end()
        for sock in (self.client, self.connection, *self.owner.sockets, *(each.sock for each in self.owner.given_back)):
            sock.close()
        self.router.die()


@pytest.fixture
def table() -> Iterator[Table]:
    """At its end not one descriptor more is open than before."""
    with no_descriptor_leaks():
        made = Table()
        yield made
        made.clear()
    assert not made.reactor.failures
    assert not made.reactor.readers
    assert not made.reactor.writers


# -- beginning


def test_hello_is_the_first_word(table: Table) -> None:
    table.link.say_load()
    assert table.router.hear() == [HELLO, Load(0)]


def test_welcome_brings_the_cell(table: Table) -> None:
    assert not table.link.welcomed
    table.router.welcome()
    table.reactor.settle()
    assert table.link.welcomed
    assert table.owner.told == ["welcomed"]


def test_a_second_welcome_changes_nothing_and_leaks_nothing(table: Table) -> None:
    table.router.welcome()
    other = Cell()
    table.router.say(Welcome(1), other.descriptor)
    table.reactor.settle()
    other.close()
    assert table.owner.told == ["welcomed"]


def test_a_welcome_without_a_cell_is_none(table: Table) -> None:
    table.router.say(Welcome(1))
    table.reactor.settle()
    assert not table.link.welcomed


def test_a_router_of_another_version_is_left(table: Table) -> None:
    table.router.say(Welcome(VERSION + 1), table.router.cell.descriptor)
    table.reactor.settle()
    assert table.owner.told == ["ended"]


def test_routes_arrive_in_parts_and_replace_the_old_ones(table: Table) -> None:
    patterns = tuple((f"/{'x' * 2000}/{n}/", n % 3 == 0) for n in range(100))
    *parts, last = encode_routes(patterns)
    assert parts
    for part in parts:
        packets.send(table.router.sock, part)
        table.reactor.settle()
        assert table.owner.patterns is None
    packets.send(table.router.sock, last)
    table.reactor.settle()
    assert table.owner.patterns == patterns
    packets.send(table.router.sock, encode_routes((("/a/", True),))[0])
    table.reactor.settle()
    assert table.owner.patterns == (("/a/", True),)


# -- taking


def test_taken_is_said_before_the_service_sees_anything(table: Table) -> None:
    table.router.hear()
    said_when_adopted: list[object] = []
    table.owner.on_adopt = lambda number: said_when_adopted.append(table.router.hear())
    table.router.hand(table.connection, b"GET / HTTP/1.1\r\n")
    table.reactor.settle()
    assert said_when_adopted == [[Taken(1, 1)]]
    assert table.owner.adopted == [(1, b"GET / HTTP/1.1\r\n")]
    table.owner.sockets[0].send(b"x")
    assert table.client.recv(1) == b"x"


def test_taken_is_cumulative_over_a_batch(table: Table) -> None:
    table.router.hear()
    for _ in range(BATCH + 3):
        table.router.hand(table.connection)
    table.reactor.turn()
    assert table.router.hear() == [Taken(BATCH, BATCH)]
    assert len(table.owner.adopted) == BATCH
    table.reactor.settle()
    assert table.router.hear() == [Taken(BATCH + 3, BATCH + 3)]
    assert [number for number, _ in table.owner.adopted] == list(range(1, BATCH + 4))


def test_while_the_router_reads_nothing_a_batch_waits(table: Table) -> None:
    table.fill()
    table.router.hand(table.connection)
    table.reactor.turn()
    table.router.hand(table.connection)
    table.reactor.turn()
    assert table.owner.adopted == []
    table.reactor.settle()
    heard = table.router.hear()
    assert not [each for each in heard if isinstance(each, Taken)]
    table.reactor.settle()
    assert [each.number for each in table.router.hear() if isinstance(each, Taken)] == [1, 2]
    assert [number for number, _ in table.owner.adopted] == [1, 2]


def test_the_router_dies_with_connections_in_the_queue_and_they_are_served(table: Table) -> None:
    table.router.welcome()
    table.router.hand(table.connection, b"one")
    table.router.hand(table.connection, b"two")
    table.router.die()
    table.reactor.settle()
    assert table.owner.adopted == [(1, b"one"), (2, b"two")]
    assert table.link.ended
    assert table.owner.told[-1] == "ended"


def test_the_router_dies_without_having_read_ours_and_its_queue_is_still_read(table: Table) -> None:
    table.link.say_load()  # unread at its end: the kernel says ECONNRESET once
    for n in range(BATCH + 5):
        table.router.hand(table.connection, b"%d" % n)
    table.router.die()
    table.reactor.settle()
    assert [unread for _, unread in table.owner.adopted] == [b"%d" % n for n in range(BATCH + 5)]
    assert table.link.ended


def test_the_router_dies_while_a_batch_waits_and_it_is_served(table: Table) -> None:
    table.router.welcome()
    table.fill()
    table.router.hand(table.connection, b"waits")
    table.reactor.turn()
    assert table.owner.adopted == []
    table.router.die()
    table.reactor.settle()
    assert table.owner.adopted == [(1, b"waits")]


# -- revocation


def test_connections_that_were_revoked_while_we_slept_are_dropped_and_not_cut(table: Table) -> None:
    table.router.welcome()
    table.reactor.settle()
    table.router.hand(table.connection, b"one")
    table.router.hand(table.connection, b"two")
    table.router.revoke()
    table.reactor.settle()
    assert table.owner.adopted == []
    assert not table.link.ended  # the router ends it, when it has read all that was said
    table.router.sock.close()
    table.reactor.settle()
    assert table.owner.adopted == []
    assert table.link.ended
    assert not table.cut()
    table.connection.send(b"served by another")
    assert table.client.recv(50) == b"served by another"


def test_revoked_and_then_the_router_died(table: Table) -> None:
    table.router.welcome()
    table.router.hand(table.connection)
    table.router.revoke()
    table.router.die()
    table.reactor.settle()
    assert table.owner.adopted == []
    assert not table.cut()


def test_a_waiting_batch_is_revoked(table: Table) -> None:
    table.router.welcome()
    table.reactor.settle()
    table.fill()
    table.router.hand(table.connection)
    table.reactor.turn()
    table.router.revoke()
    table.reactor.settle()
    assert table.owner.adopted == []
    assert not table.cut()


def test_what_was_taken_before_stays_ours_when_the_rest_is_revoked(table: Table) -> None:
    table.router.welcome()
    table.router.hand(table.connection, b"taken")
    table.reactor.settle()
    table.router.hand(table.connection, b"revoked")
    table.router.revoke()
    table.reactor.settle()
    assert table.owner.adopted == [(1, b"taken")]
    assert Taken(1, 1) in table.router.hear()


def test_what_was_said_before_the_link_blocked_again_is_ours(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    """TAKEN 1 goes out, TAKEN 2 does not, then the router takes back: 1 is ours and 2 is not."""
    table.router.welcome()
    table.reactor.settle()
    table.router.hear()
    table.fill()
    for unread in (b"one", b"two"):
        table.router.hand(table.connection, unread)
        table.reactor.turn()
    really, said = packets.send, []

    def only_until_taken(link: socket.socket, packet: bytes, descriptor: int | None = None) -> None:
        if said:
            raise BlockingIOError(errno.EAGAIN, "full")
        really(link, packet, descriptor)
        if packet[0] == encode(Taken(1, 1))[0]:
            said.append(packet)

    monkeypatch.setattr(packets, "send", only_until_taken)
    table.router.hear()
    table.reactor.turn()
    monkeypatch.undo()
    assert table.owner.adopted == [(1, b"one")]
    table.router.revoke()
    table.reactor.settle()
    assert [each.number for each in table.router.hear() if isinstance(each, Taken)] == [1]
    assert table.owner.adopted == [(1, b"one")]
    assert not table.cut()


# -- handing back


def test_a_connection_goes_back_with_its_bytes_and_its_descriptor(table: Table) -> None:
    table.router.hear()
    returned = table.back(b"PUT /elsewhere HTTP/1.1\r\n")
    table.link.hand_back(returned)
    assert table.router.hear() == [Connection(1, CLIENT, LISTENER, b"PUT /elsewhere HTTP/1.1\r\n")]
    assert not table.link.settled
    assert returned.sock.fileno() >= 0
    table.router.take(1)
    table.reactor.settle()
    assert table.link.settled
    assert returned.sock.fileno() == -1
    table.router.returned[0].send(b"x")
    assert table.client.recv(1) == b"x"


def test_what_the_router_did_not_take_goes_to_the_owner_at_the_end(table: Table) -> None:
    first, second = table.back(b"1"), table.back(b"2")
    table.link.hand_back(first)
    table.link.hand_back(second)
    table.router.hear()
    table.router.take(1)
    table.router.die()
    table.reactor.settle()
    assert table.owner.given_back == [second]
    assert first.sock.fileno() == -1
    assert not table.cut()


def test_a_hand_back_waits_for_room(table: Table) -> None:
    table.fill()
    returned = table.back(b"late")
    table.link.hand_back(returned)
    table.router.hear()
    table.reactor.settle()
    assert [each.unread for each in table.router.hear() if isinstance(each, Connection)] == [b"late"]


def test_too_many_descriptors_on_their_way_is_not_the_end(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    table.router.hear()
    really = packets.send

    def refuse(link: socket.socket, packet: bytes, descriptor: int | None = None) -> None:
        if descriptor is not None and link is not table.router.sock:
            raise OSError(errno.ETOOMANYREFS, os.strerror(errno.ETOOMANYREFS))
        really(link, packet, descriptor)

    monkeypatch.setattr(packets, "send", refuse)
    table.link.hand_back(table.back(b"patience"))
    table.router.hand(table.connection)
    table.reactor.settle()
    assert table.owner.adopted == []  # TAKEN stands behind it in the queue
    monkeypatch.undo()
    table.reactor.advance(1)
    table.reactor.settle()
    assert [type(each) for each in table.router.hear()] == [Connection, Taken]
    assert len(table.owner.adopted) == 1


# -- farewell


def test_draining_and_farewell(table: Table) -> None:
    table.router.hear()
    table.link.say_draining()
    assert table.router.hear() == [Draining()]
    assert not table.link.said_farewell
    table.router.say(Farewell())
    table.reactor.settle()
    assert table.link.said_farewell
    assert table.owner.told == ["farewell"]


def test_connections_before_the_farewell_are_adopted(table: Table) -> None:
    table.link.say_draining()
    table.router.hand(table.connection)
    table.router.say(Farewell())
    table.reactor.settle()
    assert len(table.owner.adopted) == 1


def test_the_owner_hears_again_when_the_last_hand_back_is_taken(table: Table) -> None:
    table.link.hand_back(table.back())
    table.router.say(Farewell())
    table.reactor.settle()
    assert table.owner.told == ["farewell"]
    assert not table.link.settled
    table.router.take(1)
    table.reactor.settle()
    assert table.owner.told == ["farewell", "farewell"]
    assert table.link.settled


def test_the_owner_hears_again_when_the_last_word_is_out(table: Table) -> None:
    table.fill()
    table.router.say(Farewell())
    table.reactor.turn()
    assert not table.link.settled
    table.router.hear()
    table.reactor.settle()
    assert table.link.settled
    assert table.owner.told == ["farewell", "farewell"]


# -- what no router should say


BAD = {
    "nothing that is known": b"\xff",
    "an empty kind": b"\x00",
    "a cut message": encode(Taken(1, 1))[:-1],
    "trailing bytes": encode(Farewell()) + b"x",
    "a number never sent": encode(Taken(9, 0)),
    "routes that are none": encode_routes((("wrong", True),))[0],
    "a connection without a descriptor": encode(Connection(1, CLIENT, LISTENER, b"")),
}


@pytest.mark.parametrize("packet", BAD.values(), ids=BAD)
def test_a_breach_of_the_protocol_ends_the_link(table: Table, packet: bytes) -> None:
    packets.send(table.router.sock, packet)
    table.reactor.settle()
    assert table.link.ended
    assert table.owner.told == ["ended"]


@pytest.mark.parametrize("packet", BAD.values(), ids=BAD)
def test_what_came_before_the_breach_is_taken_and_what_came_after_is_not(table: Table, packet: bytes) -> None:
    table.router.hand(table.connection, b"before")
    packets.send(table.router.sock, packet)
    table.router.hand(table.connection, b"after")
    table.reactor.settle()
    assert table.owner.adopted == [(1, b"before")]
    assert table.router.hear()[-1] == Taken(1, 1)
    assert table.link.ended
    assert not table.cut()


@pytest.mark.parametrize("packet", BAD.values(), ids=BAD)
def test_where_taken_cannot_be_said_a_breach_leaves_the_batch_to_the_router(table: Table, packet: bytes) -> None:
    """The router lives, and finds at the end of the link that they were not taken: they are its own again."""
    table.fill()
    table.router.hand(table.connection)
    packets.send(table.router.sock, packet)
    table.reactor.settle()
    assert table.link.ended
    assert table.owner.adopted == []
    assert not [each for each in table.router.hear() if isinstance(each, Taken)]
    assert not table.cut()


def test_a_malformed_packet_with_a_descriptor_leaks_nothing(table: Table) -> None:
    packets.send(table.router.sock, b"\xff", table.connection.fileno())
    table.reactor.settle()
    assert table.link.ended


@pytest.mark.parametrize("message", [Load(1), HELLO, Draining()], ids=lambda each: type(each).__name__)
def test_a_message_of_the_wrong_direction_is_passed_over(table: Table, message: Hello | Load | Draining) -> None:
    table.router.say(message, table.connection.fileno())
    table.router.hand(table.connection)
    table.reactor.settle()
    assert not table.link.ended
    assert len(table.owner.adopted) == 1


def test_a_descriptor_that_found_no_room_ends_the_link_and_stays_the_routers(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    table.router.hand(table.connection, b"fits")
    table.router.hand(table.connection, b"does not")
    really, calls = packets.receive, []

    def receive(link: socket.socket) -> tuple[bytes, int | None]:
        calls.append(link)
        if len(calls) == 2:
            raise packets.DescriptorsLost("no room")
        return really(link)

    monkeypatch.setattr(packets, "receive", receive)
    table.reactor.settle()
    monkeypatch.undo()
    assert table.owner.adopted == [(1, b"fits")]
    assert table.link.ended
    assert table.router.hear()[-1] == Taken(1, 1)


# -- ending


def test_nothing_is_said_after_the_end(table: Table) -> None:
    table.link.end()
    table.link.end()
    table.link.say_load()
    table.link.say_draining()
    assert table.owner.told == ["ended"]
    assert table.link.settled
    assert table.link.fileno() == -1


def test_the_cell_is_still_set_when_the_router_is_gone() -> None:
    with no_descriptor_leaks():
        cell = Cell()
        copy = os.dup(cell.descriptor)
        assert not is_revoked(copy)
        cell.revoke()
        cell.close()
        cell.close()
        assert is_revoked(copy)
        os.close(copy)


# -- ended by us, alive: what the router has not taken of our hand-backs stays ours, and it is told so


def test_ending_alive_withdraws_what_was_not_taken(table: Table) -> None:
    table.router.welcome()
    table.reactor.settle()
    table.link.hand_back(table.back(b"taken"))
    table.link.hand_back(table.back(b"kept"))
    table.router.take(1)
    table.link.end()
    assert [each.unread for each in table.owner.given_back] == [b"kept"]
    assert table.router.cell.is_withdrawn
    with pytest.raises(BrokenPipeError):
        table.router.take(2)


def test_a_dead_router_is_not_told_anything(table: Table) -> None:
    table.router.welcome()
    table.reactor.settle()
    table.link.hand_back(table.back(b"kept"))
    copy = os.dup(table.router.cell.descriptor)
    table.router.die()
    table.reactor.settle()
    assert [each.unread for each in table.owner.given_back] == [b"kept"]
    assert os.pread(copy, 2, 0) == b"\0\0"
    os.close(copy)


def test_connections_that_came_meanwhile_are_left_to_the_router(table: Table) -> None:
    table.router.welcome()
    table.reactor.settle()
    table.link.hand_back(table.back())
    table.router.hand(table.connection)
    table.link.end()
    assert table.owner.adopted == []
    assert not table.cut()


# -- a router that hangs


def test_a_router_that_takes_nothing_in_time_is_left(table: Table) -> None:
    table.router.welcome()
    table.reactor.settle()
    for unread in (b"first", b"second"):
        table.link.hand_back(table.back(unread))
    table.reactor.advance(TAKE_TIMEOUT - 0.5)
    table.router.take(1)
    table.reactor.settle()  # one after the other is not hanging
    table.reactor.advance(TAKE_TIMEOUT - 0.1)
    assert not table.link.ended
    table.reactor.advance(0.1)
    assert [each.unread for each in table.owner.given_back] == [b"second"]
    assert table.router.cell.is_withdrawn


def test_its_time_begins_when_there_is_something_to_take(table: Table) -> None:
    table.router.welcome()
    table.reactor.settle()
    table.link.hand_back(table.back())
    table.router.take(1)
    table.reactor.settle()
    table.reactor.advance(TAKE_TIMEOUT - 0.1)
    table.link.hand_back(table.back())
    table.reactor.advance(TAKE_TIMEOUT - 0.1)
    assert not table.link.ended
    table.reactor.advance(0.1)
    assert table.link.ended


def test_what_it_said_while_we_were_away_counts(table: Table) -> None:
    table.router.welcome()
    table.reactor.settle()
    table.link.hand_back(table.back())
    table.router.take(1)  # not read yet
    table.reactor.advance(TAKE_TIMEOUT)
    assert not table.link.ended
    assert table.link.settled


@pytest.mark.parametrize("says", [False, True])
def test_farewell_has_its_time_too(table: Table, says: bool) -> None:
    table.router.welcome()
    table.reactor.settle()
    table.link.say_draining()
    if says:
        table.router.say(Farewell())
    table.reactor.advance(TAKE_TIMEOUT)
    assert table.link.ended is not says


def test_descriptors_that_find_no_room_are_not_the_routers_fault(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    def send(link: socket.socket, packet: bytes, descriptor: int | None = None) -> None:
        raise OSError(errno.ETOOMANYREFS, "too many")

    table.router.welcome()
    table.reactor.settle()
    monkeypatch.setattr(packets, "send", send)
    table.link.hand_back(table.back())
    table.reactor.pump([RETRY / 2] * int(4 * TAKE_TIMEOUT / RETRY))
    assert not table.link.ended
    monkeypatch.undo()
    table.reactor.advance(RETRY)
    assert [type(each) for each in table.router.hear()] == [Hello, Connection]
