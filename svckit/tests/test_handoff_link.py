"""A replica's end of a link, over a real SOCK_SEQPACKET pair: beginning, taking, handing back; the router is played by hand."""

import errno
import os
import socket

import pytest
from handoff_support import CLIENT, LISTENER, no_more_descriptors
from link_support import HELLO, Table
from svckit.handoff import packets
from svckit.handoff.cell import Cell
from svckit.handoff.codec import VERSION, Connection, Load, Taken, Welcome, encode_routes
from svckit.handoff.linkend import BATCH

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


def test_taken_is_heard_behind_connections_that_could_not_be_received(table: Table) -> None:
    """The router has it: given to another one it would be answered twice."""
    table.router.welcome()
    table.reactor.settle()
    table.link.hand_back(table.back(b"taken"))
    left = table.back(b"not taken")
    table.link.hand_back(left)
    table.router.hear()
    table.router.hand(table.connection)
    table.router.hand(table.connection)
    table.router.take(1)
    with no_more_descriptors():
        table.reactor.settle()
    assert table.owner.told == ["welcomed", "ended"]
    assert table.owner.given_back == [left]
    assert table.owner.adopted == []


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
