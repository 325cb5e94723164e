"""How a replica's end of a link ends: a breach, its own will, a router that hangs."""

import errno
import os
import socket

import pytest
from handoff_support import CLIENT, LISTENER
from link_support import HELLO, Table
from svckit.handoff import packets
from svckit.handoff.cell import Cell, is_revoked
from svckit.handoff.codec import Connection, Draining, Farewell, Hello, Load, Taken, encode, encode_routes
from svckit.handoff.linkend import TAKE_TIMEOUT
from svckit.handoff.saying import RETRY

from tests.support.descriptors import no_descriptor_leaks

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
