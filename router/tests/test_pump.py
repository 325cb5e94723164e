"""Two sockets joined: bytes, ends and resets go through both ways, and a slow reader stops the other side."""

import fcntl
import hashlib
import os
import socket
from _socket import socket as RawSocket
from collections.abc import Iterator
from contextlib import suppress
from itertools import cycle, islice

import pytest
from portico import flow, window
from portico.core.termination import DATA, OPERATOR
from portico.flow import PIPE_SIZE, SMALL
from portico.pipes import Pipes
from portico.poller import Poller
from portico.tunnel import Tunnel, join

from .support.reactor import HandReactor
from .support.wires import Inbox, open_descriptors, reset, tcp_pair


class Joined:
    """A client and a server with a tunnel between them."""

    def __init__(self, reactor: HandReactor, poller: Poller, pipes: Pipes, preface: bytes = b"", reply: bytes = b"") -> None:
        self.reactor = reactor
        client, ours = tcp_pair()
        server, theirs = tcp_pair()
        theirs.setblocking(False)  # as the tcp target makes it
        self.client, self.server = Inbox(client), Inbox(server)
        self.ends: list[tuple[str, int, int]] = []
        self.tunnel: Tunnel = join(ours, theirs, preface, poller, pipes, lambda *told: self.ends.append(told), reply)

    def over(self) -> bool:
        return bool(self.ends)

    def close(self) -> None:
        self.client.sock.close()
        self.server.sock.close()
        self.reactor.until(self.over)


@pytest.fixture
def pipes() -> Iterator[Pipes]:
    pipes = Pipes()
    yield pipes
    pipes.close()


@pytest.fixture
def joined(reactor: HandReactor, poller: Poller, pipes: Pipes) -> Iterator[Joined]:
    before = open_descriptors()
    joined = Joined(reactor, poller, pipes)
    yield joined
    joined.close()
    pipes.close()
    assert len(joined.ends) == 1
    assert len(poller) == 0
    assert open_descriptors() == before


def two(joined: Joined, way: str) -> tuple[Inbox, Inbox]:
    return (joined.client, joined.server) if way == "up" else (joined.server, joined.client)


BOTH_WAYS = pytest.mark.parametrize("way", ["up", "down"])


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


def push(reactor: HandReactor, sock: socket.socket, data: bytes, until_stalled: bool = False) -> int:
    """Send while the tunnel turns; returns how much went out."""
    sock.setblocking(False)
    view, sent, idle = memoryview(data), 0, 0
    while sent < len(data) and idle < 20:
        try:
            sent += sock.send(view[sent : sent + 262_144])
            idle = 0
        except BlockingIOError:
            idle += 1 if until_stalled else 0
        reactor.turn(0.001)
    return sent


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


@BOTH_WAYS
def test_a_server_of_a_fast_flow_may_fill_a_larger_buffer(
    reactor: HandReactor, poller: Poller, pipes: Pipes, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setattr(flow, "FAST", 1 << 20)
    joined = Joined(reactor, poller, pipes)
    ends = (joined.tunnel.client.sock, joined.tunnel.server.sock)
    for sock in ends:
        window.limit(sock)
    before = [room(sock) for sock in ends]
    sender, reader = two(joined, way)
    sent = Flow(sender.sock, reader.sock, os.urandom(1 << 20), 16 << 20)
    while not sent.step():
        reactor.turn(0)
    assert room(ends[0]) == before[0]
    assert (room(ends[1]) > before[1]) is (way == "down")
    joined.close()


def test_a_slow_flow_has_a_small_buffer_to_the_end(
    reactor: HandReactor, poller: Poller, pipes: Pipes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flow, "FAST", 2 << 20)
    joined = Joined(reactor, poller, pipes)
    window.limit(joined.tunnel.server.sock)
    before = room(joined.tunnel.server.sock)
    for sock in (joined.tunnel.client.sock, joined.client.sock):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 262_144)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 262_144)
    block = os.urandom(8 << 20)
    sent = 0
    for _ in range(6):  # each time until it waits for its reader, whatever goes through in all
        sent += push(reactor, joined.server.sock, block, until_stalled=True)
        reactor.until(lambda all_of_it=sent: len(joined.client.read()) == all_of_it)
    assert sent > 2 << 20
    assert room(joined.tunnel.server.sock) == before
    joined.close()


def room(sock: RawSocket) -> int:
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)


def test_64_mib_both_ways_at_once(reactor: HandReactor, joined: Joined) -> None:
    size = 64 << 20
    blocks = {"up": os.urandom(1 << 20), "down": os.urandom((1 << 20) - 7)}
    flows = []
    for way in ("up", "down"):
        sender, receiver = two(joined, way)
        flows.append(Flow(sender.sock, receiver.sock, blocks[way], size))
    while sum(flow.step() for flow in flows) < len(flows):
        reactor.turn(0)
    assert [flow.got.digest() for flow in flows] == [flow.expected() for flow in flows]
    joined.close()
    assert joined.ends[0][1:] == (size, size)


class Flow:
    """One direction: a repeated block sent, a digest of what comes out."""

    def __init__(self, source: socket.socket, sink: socket.socket, block: bytes, size: int) -> None:
        self.source, self.sink, self.block, self.size = source, sink, block, size
        self.sent = self.received = 0
        self.got = hashlib.sha256()

    def step(self) -> bool:
        """Send and receive what goes; True when all is there."""
        if self.sent < self.size:
            at = self.sent % len(self.block)
            with suppress(BlockingIOError):
                self.sent += self.source.send(memoryview(self.block)[at : at + min(1 << 18, self.size - self.sent)])
        try:
            piece = self.sink.recv(1 << 18)
        except BlockingIOError:
            piece = b""
        self.received += len(piece)
        self.got.update(piece)
        return self.received == self.size

    def expected(self) -> bytes:
        digest, left = hashlib.sha256(), self.size
        for block in cycle([self.block]):
            digest.update(block[:left])
            left -= len(block[:left])
            if not left:
                return digest.digest()
        raise AssertionError


def count_splices(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    calls: list[int] = []
    splice = os.splice

    def counted(*args: int, **kw: int) -> int:
        calls.append(splice(*args, **kw))
        return calls[-1]

    monkeypatch.setattr(os, "splice", counted)
    return calls


def test_only_bulk_is_spliced(reactor: HandReactor, joined: Joined, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = count_splices(monkeypatch)
    for _ in range(20):
        joined.client.sock.send(b"small")
        reactor.settle()
    assert calls == []
    data = os.urandom(8 << 20)
    push(reactor, joined.client.sock, data)
    reactor.until(lambda: len(joined.server.read()) == 100 + len(data))
    assert sum(calls) > len(data)  # in and out
    joined.client.sock.send(b"thin")
    reactor.settle()
    before = len(calls)
    joined.client.sock.send(b"small")
    reactor.until(joined.server.holds(b"thinsmall"))
    assert len(calls) == before
    assert joined.server.data == b"small" * 20 + data + b"thinsmall"


@pytest.mark.parametrize("broken", ["pipe2", "fcntl"])
def test_without_a_pipe_of_the_size_bulk_goes_through_all_the_same(
    reactor: HandReactor, poller: Poller, pipes: Pipes, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    def refuse(*args: object) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(*((os, "pipe2") if broken == "pipe2" else (fcntl, "fcntl")), refuse)
    joined = Joined(reactor, poller, pipes)
    data = os.urandom(4 << 20)
    push(reactor, joined.client.sock, data)
    reactor.until(lambda: len(joined.server.read()) == len(data))
    assert joined.server.data == data
    assert not joined.over()
    joined.close()


def test_pipes_are_reused_only_when_empty(pipes: Pipes) -> None:
    pipe = pipes.get()
    pipes.put(pipe, True)
    assert pipes.get() == pipe
    os.write(pipe[1], b"left over")
    pipes.put(pipe, False)
    for descriptor in pipe:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(descriptor)
    fresh = pipes.get()
    with pytest.raises(BlockingIOError):
        os.read(fresh[0], 1)
    pipes.put(fresh, True)


def test_no_more_pipes_are_kept_than_the_limit(pipes: Pipes) -> None:
    before = open_descriptors()
    for pipe in [pipes.get() for _ in range(Pipes.KEPT + 5)]:
        pipes.put(pipe, True)
    assert open_descriptors() == before + 2 * Pipes.KEPT
    pipes.close()
    assert open_descriptors() == before


def test_bytes_left_in_a_pipe_reach_nobody_else(reactor: HandReactor, poller: Poller, pipes: Pipes) -> None:
    secret = b"secret" * 1_000_000
    stuck = Joined(reactor, poller, pipes)
    push(reactor, stuck.client.sock, secret * 2, until_stalled=True)
    assert stuck.tunnel.client._in_pipe  # the reader does not read: the pipe is full
    reset(stuck.server.sock)
    reactor.until(stuck.over)
    stuck.client.sock.close()
    other = Joined(reactor, poller, pipes)
    data = bytes(islice(cycle(b"public"), 4 << 20))
    push(reactor, other.client.sock, data)
    reactor.until(lambda: len(other.server.read()) == len(data))
    assert other.server.data == data
    other.close()


def test_the_routers_own_end_of_a_tunnel(reactor: HandReactor, joined: Joined) -> None:
    joined.tunnel.close(OPERATOR + DATA, reset=True)
    joined.tunnel.close(OPERATOR + DATA, reset=True)
    assert joined.ends == [("KD", 0, 0)]
    reactor.until(joined.client.has_ended)
    reactor.until(joined.server.has_ended)
    assert joined.client.reset
    assert joined.server.reset
