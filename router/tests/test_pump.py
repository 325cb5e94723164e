"""Two sockets joined: bytes, ends and resets go through both ways, and a slow reader stops the other side."""

import os
import socket

import pytest
from portico.core.termination import DATA, OPERATOR
from portico.flow import PIPE_SIZE, SMALL
from portico.pipes import Pipes
from portico.poller import Poller

from .support.joined import BOTH_WAYS, Joined, push, two
from .support.reactor import HandReactor
from .support.wires import reset


def test_small_pieces_both_ways(reactor: HandReactor, joined: Joined) -> None:
    for number in range(50):
        joined.client.sock.send(b"<%d" % number)
        reactor.until(joined.server.holds(b"<%d" % number))
        joined.server.sock.send(b"%d>" % number)
        reactor.until(joined.client.holds(b"%d>" % number))
    assert joined.server.data == b"".join(b"<%d" % number for number in range(50))
    assert joined.client.data == b"".join(b"%d>" % number for number in range(50))


def test_the_preface_goes_first(reactor: HandReactor, poller: Poller, pipes: Pipes) -> None:
    joined = Joined(reactor, poller, pipes, b"preface,")
    joined.client.sock.send(b"body")
    joined.server.sock.send(b"greeting")
    reactor.until(joined.server.holds(b"body"))
    reactor.until(joined.client.holds(b"greeting"))
    assert joined.server.data == b"preface,body"
    joined.close()
    assert joined.ends[0][1:] == (len(b"preface,body"), len(b"greeting"))


def test_a_reply_goes_to_the_client_first(reactor: HandReactor, poller: Poller, pipes: Pipes) -> None:
    joined = Joined(reactor, poller, pipes, b"preface,", b"reply,")
    joined.server.sock.send(b"greeting")
    joined.client.sock.send(b"body")
    reactor.until(joined.client.holds(b"greeting"))
    reactor.until(joined.server.holds(b"body"))
    assert (joined.client.data, joined.server.data) == (b"reply,greeting", b"preface,body")
    joined.close()


@BOTH_WAYS
def test_half_close(reactor: HandReactor, joined: Joined, way: str) -> None:
    first, second = two(joined, way)
    first.sock.send(b"all I have")
    first.sock.shutdown(socket.SHUT_WR)
    reactor.until(second.has_ended)
    assert second.data == b"all I have"
    reactor.settle()  # a half-closed side must not spin
    assert not joined.over()
    for number in range(5):  # the other way still works
        second.sock.send(b"%d" % number)
        reactor.until(first.holds(b"%d" % number))
    second.sock.send(b"x" * 300_000)
    second.sock.shutdown(socket.SHUT_WR)
    reactor.until(first.has_ended)
    assert not first.reset
    assert first.data == b"01234" + b"x" * 300_000
    reactor.until(joined.over)
    assert joined.ends == [("--", 10, 300_005) if way == "up" else ("--", 300_005, 10)]


@BOTH_WAYS
def test_a_reset_is_passed_on(reactor: HandReactor, joined: Joined, way: str) -> None:
    first, second = two(joined, way)
    reactor.settle()
    reset(first.sock)
    reactor.until(second.has_ended)
    assert second.reset
    assert joined.ends == [("CD" if way == "up" else "SD", 0, 0)]


@BOTH_WAYS
def test_a_reset_after_the_half_close_of_the_other_side(reactor: HandReactor, joined: Joined, way: str) -> None:
    first, second = two(joined, way)
    second.sock.shutdown(socket.SHUT_WR)
    reactor.until(first.has_ended)
    reset(first.sock)
    reactor.until(joined.over)
    assert joined.ends == [("CD" if way == "up" else "SD", 0, 0)]


@BOTH_WAYS
@pytest.mark.parametrize("size", [100, 5_000_000])
def test_a_receiver_that_resets_is_the_one_who_ended_it(reactor: HandReactor, joined: Joined, way: str, size: int) -> None:
    sender, receiver = two(joined, way)
    push(reactor, sender.sock, b"x" * size, until_stalled=True)
    reset(receiver.sock)
    for _ in range(20):
        try:
            sender.sock.send(b"more")
        except ConnectionResetError:
            break
        except BlockingIOError:
            pass
        reactor.turn(0.001)
    else:
        reactor.until(sender.has_ended)
        assert sender.reset
    assert [by for by, _, _ in joined.ends] == ["SD" if way == "up" else "CD"]


@BOTH_WAYS
def test_a_slow_reader_pauses_the_other_side(reactor: HandReactor, joined: Joined, way: str) -> None:
    sender, reader = two(joined, way)
    for sock in (joined.tunnel.client.sock, joined.tunnel.server.sock, sender.sock, reader.sock):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
    block = os.urandom(64 << 20)
    sent = push(reactor, sender.sock, block, until_stalled=True)
    assert sent < 4 << 20  # four buffers and a pipe, and not the 64 MiB
    end = joined.tunnel.client if way == "up" else joined.tunnel.server
    assert len(end._pending) <= SMALL
    assert end._in_pipe <= PIPE_SIZE
    reactor.settle()  # it waits without spinning
    reader.sock.send(b"still here")  # and the other direction flows
    reactor.until(sender.holds(b"still here"))
    reactor.until(lambda: len(reader.read()) == sent)
    assert reader.data == block[:sent]
    rest = push(reactor, sender.sock, b"and on" * 1_000)
    reactor.until(lambda: len(reader.read()) == sent + rest)
    assert reader.data[sent:] == b"and on" * 1_000


def test_the_routers_own_end_of_a_tunnel(reactor: HandReactor, joined: Joined) -> None:
    joined.tunnel.close(OPERATOR + DATA, reset=True)
    joined.tunnel.close(OPERATOR + DATA, reset=True)
    assert joined.ends == [("KD", 0, 0)]
    reactor.until(joined.client.has_ended)
    reactor.until(joined.server.has_ended)
    assert joined.client.reset
    assert joined.server.reset
