"""Hand-backs that wait for a router: how long, and what becomes of them."""

import socket
from collections.abc import Callable
from typing import Any

import pytest
from svckit.handoff.parked import Parked, asks
from twisted.internet.task import Clock

TIMEOUT = 30.0


class Waiting:
    """What waits, on a clock of its own."""

    def __init__(self) -> None:
        self.clock, self.given_up = Clock(), list[str]()
        self.parked = Parked[str](TIMEOUT, self._later, self.given_up.append)

    def _later(self, seconds: float, what: Callable[[], None]) -> Any:
        return self.clock.callLater(seconds, what)


@pytest.fixture
def waiting() -> Waiting:
    return Waiting()


def test_each_waits_its_own_time(waiting: Waiting) -> None:
    waiting.parked.add("first")
    waiting.clock.advance(1)
    waiting.parked.add("second")
    waiting.clock.advance(TIMEOUT - 1.5)
    assert (len(waiting.parked), waiting.given_up) == (2, [])
    waiting.clock.advance(0.5)
    assert (len(waiting.parked), waiting.given_up) == (1, ["first"])
    waiting.clock.advance(1)
    assert (len(waiting.parked), waiting.given_up) == (0, ["first", "second"])


def test_all_go_to_a_router_that_comes_oldest_first(waiting: Waiting) -> None:
    waiting.parked.add("first")
    waiting.parked.add("second")
    assert waiting.parked.take_all() == ["first", "second"]
    assert (len(waiting.parked), waiting.parked.take_all()) == (0, [])
    waiting.clock.advance(TIMEOUT)
    assert waiting.given_up == []
    assert not waiting.clock.getDelayedCalls()


# -- whether there is somebody to answer


def test_what_was_read_wants_an_answer() -> None:
    client, sock = socket.socketpair()
    client.close()
    with sock:
        assert asks(sock, b"G")


def test_so_does_what_came_meanwhile_and_it_is_not_read() -> None:
    client, sock = socket.socketpair()
    with client, sock:
        assert not asks(sock, b"")
        client.send(b"GET")
        assert asks(sock, b"")
        assert sock.recv(3) == b"GET"


def test_one_that_has_gone_wants_none() -> None:
    client, sock = socket.socketpair()
    client.close()
    with sock:
        assert not asks(sock, b"")
        sock.close()
        assert not asks(sock, b"")
