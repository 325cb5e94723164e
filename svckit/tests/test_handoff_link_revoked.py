"""A replica's end of a link: what is revoked while it sleeps, and the farewell."""

import errno
import socket

import pytest
from link_support import Table
from svckit.handoff import packets
from svckit.handoff.codec import Draining, Farewell, Taken, encode

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
    really, said = packets.send, list[bytes]()

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
