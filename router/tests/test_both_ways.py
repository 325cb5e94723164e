"""`split` where a request's body and its answer are under way at once, and neither side reads as fast as the other sends."""

import contextlib
import os
import socket

import pytest
from portico.flow import SMALL
from portico.pipes import Pipes
from portico.poller import READ
from portico.targets.session import Session

from .support.splitrig import Rig, get
from .support.wires import Inbox

SIZE = 12 << 20
BODY = b"".join(b"%015d\n" % number for number in range(SIZE // 16))
ANSWER = BODY[::-1]
LAST = 1_000
"""Bytes that a server with something to say keeps until it has read the whole request."""
PUT = get(b"/a/echo", b"Content-Length: %d" % SIZE, method=b"PUT")
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % SIZE


class Got:
    """What has come to one side."""

    def __init__(self, inbox: Inbox) -> None:
        self._sock = inbox.sock
        self.data = bytearray()
        self._head = 0

    def take(self, most: int) -> None:
        with contextlib.suppress(BlockingIOError):
            self.data += self._sock.recv(most)
        if not self._head:
            self._head = self.data.find(b"\r\n\r\n") + 4

    @property
    def size(self) -> int:
        """Of the body."""
        return len(self.data) - self._head

    @property
    def body(self) -> bytes:
        return bytes(self.data[self._head :])


class Pushed:
    """Bytes that go into a socket as far as it takes them."""

    def __init__(self, inbox: Inbox, data: bytes) -> None:
        self._sock, self._left = inbox.sock, memoryview(data)
        self._sock.setblocking(False)

    @property
    def left(self) -> bytes:
        return bytes(self._left)

    def push(self) -> bool:
        """Whether there was room for some."""
        before = len(self._left)
        with contextlib.suppress(BlockingIOError):
            while self._left:
                self._left = self._left[self._sock.send(self._left[:65_536]) :]
        return len(self._left) < before


class Both:
    """An exchange in which everything is full, both ways."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.client = rig.connect(PUT)
        self.server = rig.accept()
        self.to_client, self.to_server = Got(self.client), Got(self.server)
        self.up, self.down = Pushed(self.client, BODY), Pushed(self.server, HEAD + ANSWER[: SIZE - LAST])
        (session,) = rig.target._split._sessions
        assert isinstance(session, Session)
        self.session = session
        self.fill()

    def fill(self) -> None:
        """Push until neither side takes anything more."""
        while any((self.up.push(), self.down.push())):
            self.rig.reactor.settle()
        self.rig.reactor.settle()


@pytest.mark.parametrize("step", [4_000, 65_536, 1_000_000])
def test_both_arrive_whole_whoever_is_slow(rig: Rig, step: int) -> None:
    both = Both(rig)
    turn, last = 0, None
    while both.to_client.size < SIZE:
        turn += 1
        for _ in range(8 if step < 65_536 else 1):
            both.to_server.take(step)  # it reads, which gives room for the body; the client does not, or now and then
        if turn % 3 == 0 or both.to_server.size == SIZE:
            both.to_client.take(40 * step)
        if both.to_server.size == SIZE and not last:
            last = both.down = Pushed(both.server, both.down.left + ANSWER[-LAST:])
        both.fill()
    assert both.to_client.body == ANSWER
    assert both.to_server.body == BODY


def test_nothing_is_read_for_a_client_that_takes_nothing(rig: Rig) -> None:
    both = Both(rig)
    held = len(both.session.down._pending) + both.session.down._in_pipe
    for _ in range(40):
        both.to_server.take(SMALL)
        both.fill()
    assert len(both.session.down._pending) + both.session.down._in_pipe == held


def test_a_server_that_ends_within_the_body_leaves_nothing_in_a_pipe(rig: Rig) -> None:
    both = Both(rig)
    assert both.session.down.held
    both.server.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    both.server.sock.shutdown(socket.SHUT_WR)
    both.server.sock.close()
    for _ in range(5):
        both.up.push()
        rig.reactor.settle()
    rig.reactor.until(both.client.has_ended)
    both.to_client.data += both.client.data
    both.to_client.take(0)
    assert ANSWER.startswith(both.to_client.body)
    assert both.to_client.size < SIZE
    other = rig.connect(get(b"/a/other"))
    server = rig.accept()
    answer = Pushed(server, HEAD + BODY)
    while answer.push() or len(other.read()) < len(HEAD) + SIZE:
        rig.reactor.settle()
    assert other.data == HEAD + BODY


def test_a_body_without_a_server_is_not_watched(rig: Rig) -> None:
    """The answer is complete, its end waits for the client, and so does the rest of the request."""
    both = Both(rig)
    both.down = Pushed(both.server, both.down.left + ANSWER[-LAST:])
    both.session.arrival.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_608)
    while both.session._backend is not None:
        both.to_client.take(65_536)
        both.fill()
    assert both.session.down.held
    assert both.session._upload is not None
    assert not both.session.wanted & READ


def test_a_pipe_is_asked_whether_it_is_empty() -> None:
    pipes = Pipes()
    pipe = pipes.get()
    os.write(pipe[1], b"somebody's")
    pipes.put(pipe, empty=True)
    other = pipes.get()
    with pytest.raises(BlockingIOError):
        os.read(other[0], 100)
    pipes.put(other, empty=True)
    assert pipes.get() == other
    pipes.put(other, empty=True)
    pipes.close()
