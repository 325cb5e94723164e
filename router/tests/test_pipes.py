"""How large pipes are, who has one (a user's share is 64 MiB), and that what is left in one reaches nobody else."""

import fcntl
import os
import socket
from collections.abc import Iterator
from itertools import cycle, islice

import pytest
from portico.flow import PIPE_SIZE, SMALLER_PIPE, THIN, Flow
from portico.pipes import Pipes
from portico.poller import Poller

from tests.support.descriptors import open_descriptors

from .support.joined import Joined, push
from .support.reactor import HandReactor
from .support.wires import reset, tcp_pair

BULK = 40_000
"""Bytes that a socket takes at once."""


class Through:
    """A flow from one TCP connection to another."""

    def __init__(self, pipes: Pipes) -> None:
        self.sender, self.source = tcp_pair()
        self.reader, sink = tcp_pair()
        self.source.setblocking(False)
        sink.setblocking(False)
        self.flow = Flow(sink, pipes)
        assert self.flow.can_splice()

    def splice(self, most: int = 1 << 30) -> int:
        return self.flow.splice(self.source.fileno(), most)

    def close(self) -> None:
        for sock in (self.sender, self.source, self.reader, self.flow.sink):
            sock.close()
        self.flow.close()


@pytest.fixture
def through(pipes: Pipes) -> Iterator[Through]:
    through = Through(pipes)
    yield through
    through.close()


def test_the_first_are_large_and_the_others_smaller(pipes: Pipes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Pipes, "LARGE", 2)
    made = [pipes.get() for _ in range(4)]
    assert [fcntl.fcntl(pipe[1], fcntl.F_GETPIPE_SZ) for pipe in made] == [PIPE_SIZE] * 2 + [SMALLER_PIPE] * 2
    for pipe in made:
        pipes.put(pipe, False)
    again = pipes.get()  # those that are closed count no more
    assert fcntl.fcntl(again[1], fcntl.F_GETPIPE_SZ) == PIPE_SIZE
    pipes.put(again, False)


def test_it_moves_what_is_there(through: Through) -> None:
    data = os.urandom(40_000)
    through.sender.sendall(data)
    assert through.splice() == len(data)
    assert not through.flow.thin
    assert through.reader.recv(len(data), socket.MSG_WAITALL) == data
    with pytest.raises(BlockingIOError):
        through.splice()


def test_no_more_than_it_may(through: Through) -> None:
    through.sender.sendall(b"x" * BULK + b"next")
    assert through.splice(BULK) == BULK
    assert through.source.recv(100) == b"next"


def test_little_is_thin_and_the_pipe_goes_back(through: Through, pipes: Pipes) -> None:
    through.sender.sendall(b"x" * (THIN - 1))
    assert through.splice() == THIN - 1
    assert through.flow.thin
    through.flow.rest()
    through.flow.rest()
    assert len(pipes._free) == 1
    assert through.flow.can_splice()
    assert len(pipes._free) == 0


def test_a_pipe_with_something_in_it_stays(through: Through, pipes: Pipes) -> None:
    through.sender.setblocking(False)
    for _ in range(2_000):
        try:
            through.sender.send(b"x" * 65_536)
            through.splice()
        except BlockingIOError:
            pass
        if through.flow.held:
            break
    assert through.flow.held
    through.flow.rest()
    assert len(pipes._free) == 0


def test_the_end_is_found_after_what_came_before_it(through: Through) -> None:
    through.sender.sendall(b"x" * BULK)
    through.sender.close()
    assert through.splice() == BULK
    assert through.splice() == 0
    assert through.reader.recv(BULK, socket.MSG_WAITALL) == b"x" * BULK


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
    assert len(open_descriptors()) == len(before) + 2 * Pipes.KEPT
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
