"""A turn of sending by sendfile(2): how long it lasts, and what ends it."""

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from onefile_support import BIG
from svckit.kernelsending import PER_CALL, TURN, KernelSending, push
from twisted.internet.task import Clock


class Ends:
    """A file, and a socket without blocking whose other end takes what is sent."""

    def __init__(self, path: Path) -> None:
        path.write_bytes(BIG)
        self.fd = os.open(path, os.O_RDWR)
        self.near, self.far = socket.socketpair()
        self.near.setblocking(False)
        self.far.setblocking(False)
        self.clock = Clock()
        self.got = bytearray()

    def push(self, offset: int = 0, count: int = len(BIG)) -> int:
        return push(self.near.fileno(), self.fd, offset, count, self.clock)

    def take(self) -> bytes:
        try:
            while data := self.far.recv(1 << 20):
                self.got += data
        except BlockingIOError:
            pass
        return bytes(self.got)

    def close(self) -> None:
        os.close(self.fd)
        self.near.close()
        self.far.close()


@pytest.fixture
def ends(tmp_path: Path) -> Iterator[Ends]:
    ends = Ends(tmp_path / "big")
    yield ends
    ends.close()


@pytest.fixture
def calls(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What each call has asked for; each takes 0.4 of a turn, and the other end takes all."""
    asked: list[int] = []

    def played(out: int, source: int, offset: int, count: int) -> int:
        asked.append(count)
        ends.clock.advance(TURN * 0.4)
        return min(count, len(BIG) - offset)

    monkeypatch.setattr(os, "sendfile", played)
    return asked


def test_what_fits_is_sent(ends: Ends) -> None:
    assert ends.push(5, 1000) == 1000
    assert ends.take() == BIG[5:1005]


def test_a_full_socket_ends_the_turn(ends: Ends) -> None:
    sent = 0
    while more := ends.push(sent, len(BIG) - sent):
        sent += more
    assert 0 < sent < len(BIG)
    assert ends.take() == BIG[:sent]
    assert ends.push(sent, 10) == 10, "and goes on when there is room"


def test_a_short_call_is_not_followed_by_another(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full socket would only say so."""
    monkeypatch.setattr(os, "sendfile", lambda *asked: 7)
    assert ends.push() == 7


@pytest.mark.parametrize(("under_way", "expected"), [(0, 3), (1, 3), (2, 2), (100, 1)])
def test_a_turn_is_bounded_in_time_and_shared(
    ends: Ends, calls: list[int], monkeypatch: pytest.MonkeyPatch, under_way: int, expected: int
) -> None:
    monkeypatch.setattr(KernelSending, "under_way", under_way)
    assert ends.push() == expected * PER_CALL
    assert calls == [PER_CALL] * expected


def test_the_end_of_the_stretch_ends_the_turn(ends: Ends, calls: list[int]) -> None:
    assert ends.push(0, PER_CALL + 1) == PER_CALL + 1
    assert calls == [PER_CALL, 1]


def shorten(ends: Ends) -> None:
    os.ftruncate(ends.fd, 100)


def leave(ends: Ends) -> None:
    ends.far.close()


@pytest.mark.parametrize("break_it", [shorten, leave])
def test_what_is_broken(ends: Ends, break_it: Callable[[Ends], None]) -> None:
    break_it(ends)
    with pytest.raises(OSError):
        ends.push(100)
