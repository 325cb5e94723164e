"""The keeper turns away strangers, nonsense and what is too much."""

import errno
import os
import socket

import pytest
from portico.keeper import MESSAGE, ROUTERS, SOCKETS
from portico.keeper import keeper as module

from .support.keepers import ANY, Asker, Make, Stage, connects


@pytest.mark.parametrize(
    "message",
    [b"x", b"listen", b"listen here", b"listen 1:2 ", b"leave", b"seed ", b"SEED", b"\xff\xfe", b"listen " + b"1" * MESSAGE],
)
def test_nonsense_ends_the_connection(stage: Stage, message: bytes) -> None:
    asker = Asker(stage)
    asker.borrow()
    asker.say(message)
    assert asker.is_turned_away
    assert len(stage.keeper._routers) == 0
    Asker(stage).borrow()


def test_a_message_of_the_largest_size(stage: Stage) -> None:
    asker = Asker(stage)
    host = b"h" * (MESSAGE - len(b"listen :0"))
    answer, _ = asker.ask(b"listen %s:0" % host)
    assert answer.startswith(b"error ")
    assert len(answer) <= MESSAGE


def test_leaving_what_was_never_borrowed(stage: Stage) -> None:
    one, two = Asker(stage), Asker(stage)
    at = one.borrow().getsockname()
    two.say(f"leave {ANY}".encode(), b"leave 127.0.0.1:9")
    stage.pass_time(1_000)
    assert connects(at)
    assert not two.is_turned_away


def test_who_does_not_read_is_turned_away(stage: Stage) -> None:
    asker = Asker(stage)
    with pytest.raises((BlockingIOError, BrokenPipeError)):  # bounded: its queue is full, or it is turned away
        for _ in range(100_000):
            asker.sock.send(b"seed", socket.MSG_DONTWAIT)
            stage.keeper.turn()
    assert len(stage.keeper._routers) == 0


def test_one_router_too_many(stage: Stage) -> None:
    askers = [Asker(stage) for _ in range(ROUTERS)]
    one_more = Asker(stage)
    assert one_more.is_turned_away
    assert not askers[-1].is_turned_away
    askers.pop().sock.close()
    stage.keeper.turn()
    Asker(stage).borrow()


def test_one_socket_too_many(stage: Stage) -> None:
    asker = Asker(stage)
    for number in range(SOCKETS):
        asker.borrow(f"127.0.{number}.1:0")
    answer, _ = asker.ask(b"listen 127.0.0.2:0")
    assert answer.startswith(b"error %d " % errno.EMFILE)
    assert not asker.is_turned_away


def test_strangers_are_turned_away(make_stage: Make) -> None:
    stage = make_stage(uids=frozenset((os.getuid() + 1,)))
    assert Asker(stage).is_turned_away
    assert stage.lines == [f"process {os.getpid()} is turned away: its uid is {os.getuid()}"]


def test_without_descriptors_it_rests(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted() -> None:
        raise OSError(errno.EMFILE, "no more")

    class Listener:
        accept = staticmethod(exhausted)

        def __init__(self, sock: socket.socket) -> None:
            self.fileno, self.close = sock.fileno, sock.close

    listener = stage.keeper._listener
    stage.keeper._listener = Listener(listener)  # type: ignore[assignment]
    asker = Asker(stage)
    assert stage.keeper._until_something_is_due() == pytest.approx(module.REST)
    stage.keeper._listener = listener
    stage.keeper.turn()
    assert len(stage.keeper._routers) == 0
    stage.pass_time(module.REST)
    asker.borrow()
