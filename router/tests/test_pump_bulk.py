"""Bulk through two joined sockets: it is spliced and nothing else is, and only a fast flow may fill a large buffer."""

import fcntl
import hashlib
import os
import socket
from _socket import socket as RawSocket
from contextlib import suppress
from functools import partial
from itertools import cycle

import pytest
from portico import flow, window
from portico.pipes import Pipes
from portico.poller import Poller

from .support.joined import BOTH_WAYS, Joined, push, two
from .support.reactor import HandReactor


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
        reactor.until(partial(has_read, joined, sent))
    assert sent > 2 << 20
    assert room(joined.tunnel.server.sock) == before
    joined.close()


def has_read(joined: Joined, count: int) -> bool:
    return len(joined.client.read()) == count


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
