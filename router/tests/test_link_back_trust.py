"""What a compromised replica can try with what it hands back, and how far each gets. `docs/security.md` has the list."""

import os
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from portico.core.answers import LEFT, STRANGE, STRANGE_AND_SILENT
from portico.link import Link
from portico.pipes import NO_PIPES
from portico.poller import Poller
from portico.tunnel import join
from svckit.handoff.codec import Connection, Tls

from .support.backs import back
from .support.linkrig import FORGED, HEAD, HandReplica, Owner
from .support.reactor import HandReactor
from .support.wires import LISTENER, Inbox, descriptors_of, reset, tcp_pair


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


# -- what it hands back


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
