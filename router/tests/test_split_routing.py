"""One tcp service, request by request: the next request on a kept connection, which may be another service's."""

import os
import socket

import pytest
from portico.arrival import Arrival
from portico.config import Limits
from portico.core.answers import TWICE
from portico.core.head import read_head
from portico.provenance import Provenance
from portico.targets.owned import TARGET_KEPT, TARGETS_KEPT
from svckit.handoff.codec import Connection

from .support.splitrig import OK, Rig, deliver, get, sent
from .support.wires import LISTENER, Inbox, tcp_pair


def test_a_foreign_request_goes_back_to_the_router(rig: Rig) -> None:
    client = rig.connect(get())
    server = rig.accept()
    rig.expect(server, sent(get()))
    foreign = get(b"/b/1", b"Content-Length: 4", method=b"POST") + b"bo"
    client.sock.send(foreign)
    rig.reactor.settle()
    assert not rig.returned  # before the answer is out
    server.sock.send(OK)
    rig.expect(client, OK)
    rig.reactor.until(lambda: rig.returned)
    (arrival,) = rig.returned
    assert arrival.preface == foreign
    assert arrival.returned
    assert arrival.client == client.sock.getsockname()
    arrival.sock.send(b"still open")
    rig.expect(client, b"still open")
    assert (rig.idle, rig.loads) == (1, [0])
    assert rig.logged.lines[0]["ended"] == "--"


def test_the_same_request_again_after_the_routes_have_changed(rig: Rig) -> None:
    client = rig.connect(get())
    server = rig.accept()
    server.sock.send(OK)
    rig.expect(client, OK)
    for _ in range(3):
        rig.exchange(client, server, get())
    rig.target.tell((("/a/", False), ("/b/", True)))
    client.sock.send(get())
    rig.reactor.until(lambda: rig.returned)
    assert rig.returned[0].preface == get()


def test_a_first_request_that_the_paths_do_not_give_us_says_nothing_of_the_next(rig: Rig) -> None:
    """It came by a default route, say; whether the same one comes here again is the router's to decide."""
    client = rig.connect(get(b"/b/1"))
    server = rig.accept()
    server.sock.send(OK)
    rig.expect(client, OK)
    client.sock.send(get(b"/b/1"))
    rig.reactor.until(lambda: rig.returned)
    assert rig.returned[0].preface == get(b"/b/1")


def test_targets_that_are_known_to_be_ours_are_bounded(rig: Rig) -> None:
    split = rig.target._split
    for number in range(3 * TARGETS_KEPT):
        assert split.owns(b"/a/%d" % number)
        assert split.owns(b"/a/%d" % number)
        assert len(split._ours) <= TARGETS_KEPT
    long = b"/a/" + b"x" * TARGET_KEPT
    assert split.owns(long)
    assert long not in split._ours
    for foreign in (b"/b/1", b"/a/%zz"):
        assert not split.owns(foreign)
        assert not split.owns(foreign)


def test_what_is_remembered_of_requests_goes_with_the_connection(rig: Rig) -> None:
    """To the next tcp service, which is played by this one: what it knows is not found out again, and is the client's own."""
    client = rig.connect(get())
    server = rig.accept()
    for again in range(3):
        rig.expect(server, sent(get() if not again else get(b"/b/1")))
        server.sock.send(OK)
        rig.expect(client, OK)
        client.sock.send(get(b"/b/1"))
        rig.reactor.until(lambda: rig.returned)
        arrival = rig.returned.pop()
        assert arrival.onward is not None
        known = arrival.onward.known(get(b"/b/1"))
        assert (known is not None) == (again > 0)
        arrival.head = read_head(arrival.preface)
        assert rig.target.offer(arrival)
        (session,) = rig.target._split._sessions
        assert known in (None, session.request)


def test_one_that_was_handed_back_is_known_when_it_goes_on_to_the_next(rig: Rig) -> None:
    """As long as it is in the router, whichever of its services has it, a second descriptor of it is not taken."""
    provenance = Provenance("static", b"key")
    client, accepted = tcp_pair()
    message = Connection(1, ("192.0.2.1", 1), LISTENER, get())
    for number in range(3):
        arrival: Arrival = provenance.recognise(message, os.dup(accepted.fileno()), 0.0) if not number else rig.returned.pop()
        arrival.head = read_head(arrival.preface)
        assert rig.target.offer(arrival)
        del arrival
        if not number:
            server = rig.accept()
        server.sock.send(OK)
        rig.expect(inbox := Inbox(client), OK)
        twice = provenance.recognise(message, os.dup(accepted.fileno()), 0.0)
        assert twice.doubt == TWICE
        twice.close()
        client.send(get(b"/b/1"))
        rig.reactor.until(lambda: rig.returned)
    rig.returned.clear()
    again = provenance.recognise(message, os.dup(accepted.fileno()), 0.0)
    assert again.doubt is None
    for sock in (again, inbox.sock, accepted):
        sock.close()


def test_whose_a_target_is_follows_the_routes(rig: Rig) -> None:
    split = rig.target._split
    rig.target.tell((("/a/", True), ("/b/", False)))
    for _ in range(2):
        assert split.owns(b"/a/1")
        assert not split.owns(b"/b/1")
    rig.target.tell((("/a/", False), ("/b/", True)))
    for _ in range(2):
        assert not split.owns(b"/a/1")
        assert split.owns(b"/b/1")


def test_a_foreign_request_waits_for_a_slow_reader(rig: Rig) -> None:
    client = rig.connect(get() + get(b"/b/1"))
    server = rig.accept()
    wire = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (1 << 20) + os.urandom(1 << 20)
    (session,) = rig.target._split._sessions
    session._arrival.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
    rest = deliver(rig, server, wire)
    assert not rig.returned
    assert session.down.held
    while not rig.returned:
        rest = rest[server.sock.send(rest) :] if rest else rest
        client.read()
        rig.reactor.turn(0.001)
    rig.reactor.until(lambda: client.read() == wire)


@pytest.mark.parametrize("target", [b"a/2", b"/a/%zz", b"/a/../../x", b"/a/2#x", b"/a/%00", b"h:80"])
def test_a_target_without_meaning_is_refused_by_the_router(rig: Rig, target: bytes) -> None:
    client = rig.connect(get())
    server = rig.accept()
    server.sock.send(OK)
    rig.expect(client, OK)
    client.sock.send(get(target))
    rig.reactor.until(lambda: rig.returned)
    rig.expect(server, sent(get()))


def test_odd_targets_of_ours_are_served(rig: Rig) -> None:
    client = rig.connect(get())
    server = rig.accept()
    server.sock.send(OK)
    rig.expect(client, OK)
    for target in (b"/a/%20", b"/a/./2", b"/x/../a/2", b"//a//2", b"/a/2?x=%zz", b"http://h/a/2"):
        rig.exchange(client, server, get(target))


@pytest.mark.parametrize(
    "next_", [b"GET /a/2 HTT", b"GET /a/2\r\n\r\n", b"GET /a/2 HTTP/1.1\nHost: h\n\n", b"\x16\x03\x01", b"\r\n"]
)
def test_a_head_that_is_not_whole_or_not_sound_goes_back_too(rig: Rig, next_: bytes) -> None:
    client = rig.connect(get())
    server = rig.accept()
    server.sock.send(OK)
    rig.expect(client, OK)
    client.sock.send(next_)
    rig.reactor.until(lambda: rig.returned)
    assert rig.returned[0].preface == next_
    assert rig.returned[0].returned


def test_a_large_head_goes_back_too(rig: Rig) -> None:
    rig.target.stop()
    rig.make(Limits(head_size=300))
    client = rig.connect(get())
    rig.accept().sock.send(OK)
    rig.expect(client, OK)
    client.sock.send(get(b"/a/2", b"X: " + b"x" * 300))
    rig.reactor.until(lambda: rig.returned)
