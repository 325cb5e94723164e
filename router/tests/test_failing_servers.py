"""Servers that fail: whom a client gets instead, who is left alone for how long, and what does not count."""

import errno
import socket
from collections.abc import Callable, Iterator

import pytest
from portico.arrival import Address, RawSocket
from portico.poller import Poller
from portico.targets import connect
from portico.targets.connect import Connecting, Replica

from .support.reactor import HandReactor
from .support.told import Rig, told
from .support.wires import Answers, Logged, nobody


@pytest.fixture
def rig(reactor: HandReactor, poller: Poller, logged: Logged, answers: Answers) -> Iterator[Rig]:
    yield from told(reactor, poller, logged, answers)


def serve(rig: Rig, listener: socket.socket, times: int = 1) -> None:
    """So many clients, one after the other, each served by `listener`."""
    for _ in range(times):
        client, _ = rig.connect()
        server = rig.accept(listener)
        rig.reactor.until(server.holds(b"POST"))
        server.sock.close()
        rig.reactor.until(client.has_ended)
        client.sock.close()
        rig.reactor.settle()


@pytest.fixture
def attempts(monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[Address]]:
    """Who was tried since it was asked last."""
    tried: list[Address] = []
    real = Connecting._open

    def opened(connecting: Connecting, replica: Replica) -> object:
        tried.append(replica.at)
        return real(connecting, replica)

    monkeypatch.setattr(Connecting, "_open", opened)

    def taken() -> list[Address]:
        found, tried[:] = tried[:], []
        return found

    return taken


@pytest.mark.parametrize("keepalive", ["pin", "close", "split"])
def test_one_that_refuses_is_passed_over_and_comes_back(
    rig: Rig, attempts: Callable[[], list[Address]], keepalive: str
) -> None:
    dead, listener = nobody(), rig.listener()
    rig.make(dead, listener.getsockname(), keepalive=keepalive, balance="round-robin", eject_after=2, eject_time=5.0)
    serve(rig, listener, 4)
    assert attempts().count(dead) == 2
    assert rig.states() == ["ejected", "ready"]
    serve(rig, listener, 4)
    assert attempts() == [listener.getsockname()] * 4
    rig.reactor.advance(5.0)
    assert rig.states() == ["ready", "ready"]
    serve(rig, listener, 2)
    assert attempts().count(dead) == 1  # one more failure was enough
    assert rig.states() == ["ejected", "ready"]
    alive = rig.listener(dead[1])
    rig.reactor.advance(5.0)
    rig.connect()
    rig.connect()
    rig.accept(alive)
    rig.accept(listener)
    rig.reactor.settle()
    assert rig.states() == ["ready", "ready"]
    assert attempts().count(dead) == 1


def test_one_that_does_not_answer_in_time(rig: Rig, attempts: Callable[[], list[Address]]) -> None:
    full = socket.socket()
    full.bind(("127.0.0.1", 0))
    full.listen(0)
    rig.sockets.append(full)
    for _ in range(4):
        filler = socket.socket()
        filler.setblocking(False)
        filler.connect_ex(full.getsockname())
        rig.sockets.append(filler)
    listener = rig.listener()
    rig.make(
        full.getsockname(), listener.getsockname(), keepalive="pin", balance="round-robin", eject_after=1, connect_timeout=1.0
    )
    rig.connect()
    rig.reactor.settle()
    rig.reactor.advance(1.1)
    rig.accept(listener)
    assert rig.states() == ["ejected", "ready"]
    attempts()
    rig.connect()
    rig.accept(listener)
    assert attempts() == [listener.getsockname()]


def test_one_alone_is_never_ejected(rig: Rig, attempts: Callable[[], list[Address]]) -> None:
    dead = nobody()
    rig.make(dead, keepalive="pin", eject_after=1)
    for _ in range(5):
        rig.answers.given.clear()
        rig.connect()
        rig.reactor.until(lambda: rig.answers.given)
        assert [answer.status for answer in rig.answers.kinds] == [502]
    assert attempts() == [dead] * 5
    assert rig.states() == ["ready"]


def test_rather_an_ejected_one_than_no_answer(rig: Rig, attempts: Callable[[], list[Address]]) -> None:
    first, second = nobody(), nobody()
    rig.make(first, second, keepalive="pin", balance="round-robin", eject_after=1)
    rig.connect()
    rig.reactor.until(lambda: rig.answers.given)
    assert rig.states().count("ejected") == 1
    back = (first, second)[rig.states().index("ejected")]
    attempts()
    listener = rig.listener(back[1])
    rig.connect()
    rig.accept(listener)
    rig.reactor.settle()
    assert attempts() == [second if back == first else first, back]
    assert rig.states()[(first, second).index(back)] == "ready"  # it has answered


def test_an_address_that_is_gone_takes_its_ejection_with_it(rig: Rig) -> None:
    dead, listener = nobody(), rig.listener()
    both = [dead, listener.getsockname()]
    rig.make(*both, keepalive="pin", balance="round-robin", eject_after=1)
    serve(rig, listener, 2)
    assert rig.states() == ["ejected", "ready"]
    rig.target.replicas.found(both[:1])
    assert rig.states() == ["ready"]
    rig.target.replicas.found(both[1:])
    rig.target.replicas.found(both)
    assert rig.states() == ["ready", "ready"]


def test_what_is_our_own_fault_does_not_count(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    dead, other = nobody(), nobody()
    rig.make(dead, other, keepalive="pin", eject_after=1)

    class NoPorts(RawSocket):
        def connect_ex(self, at: object) -> int:
            return errno.EADDRNOTAVAIL

    monkeypatch.setattr(connect, "RawSocket", NoPorts)
    rig.connect()
    rig.reactor.until(lambda: rig.answers.given)
    assert rig.states() == ["ready", "ready"]
    monkeypatch.setattr(NoPorts, "connect_ex", lambda self, at: errno.ENETUNREACH)
    rig.connect()
    rig.reactor.until(lambda: len(rig.answers.given) == 2)
    assert rig.states().count("ejected") == 1
