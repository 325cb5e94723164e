"""How large pipes are, and who has one: an unprivileged user's share is 64 MiB, and most connections are idle."""

import fcntl
import os
import socket
from collections.abc import Iterator

import pytest
from portico.flow import PIPE_SIZE, SMALLER_PIPE, THIN, Flow
from portico.pipes import Pipes

from .support.wires import tcp_pair

BULK = 40_000
"""Bytes that a socket takes at once."""


@pytest.fixture
def pipes() -> Iterator[Pipes]:
    pipes = Pipes()
    yield pipes
    pipes.close()


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
