"""Tunnels through which nothing moves any more."""

import socket
from collections.abc import Iterator

import pytest
from portico.pipes import Pipes
from portico.poller import Poller
from portico.targets.idle import IdleTunnels, interval
from portico.tunnel import Tunnel, join

from .support.reactor import HandReactor
from .support.wires import Inbox, as_reactor, tcp_pair

IDLE, HALF_CLOSED = 60.0, 20.0
LATE = IDLE / 8
"""Seconds by which the end of a tunnel may be late."""


class Rig:
    """Tunnels, and who looks after them."""

    def __init__(self, reactor: HandReactor, poller: Poller, idle: float | None, half_closed: float) -> None:
        self.reactor, self.poller, self.pipes = reactor, poller, Pipes()
        self.tunnels: set[Tunnel] = set()
        self.ended: list[str] = []
        self.sockets: list[socket.socket] = []
        self.idle = IdleTunnels(idle, half_closed, self.tunnels, as_reactor(reactor))
        self.idle.start()

    def tunnel(self) -> tuple[Tunnel, Inbox, Inbox]:
        """A tunnel, its client and its server."""
        (client, ours), (server, theirs) = tcp_pair(), tcp_pair()
        self.sockets += [client, server]

        def ended(by: str, up: int, down: int) -> None:
            self.ended.append(by)
            self.tunnels.discard(tunnel)

        tunnel = join(ours, theirs, b"", self.poller, self.pipes, ended)
        self.tunnels.add(tunnel)
        return tunnel, Inbox(client), Inbox(server)

    def wait(self, seconds: float) -> None:
        self.reactor.settle()
        self.reactor.pump([0.5] * round(seconds * 2))
        self.reactor.settle()

    def close(self) -> None:
        self.idle.stop()
        for tunnel in list(self.tunnels):
            tunnel.close("KD", reset=True)
        for sock in self.sockets:
            sock.close()
        self.pipes.close()


@pytest.fixture
def rig(reactor: HandReactor, poller: Poller) -> Iterator[Rig]:
    rig = Rig(reactor, poller, IDLE, HALF_CLOSED)
    yield rig
    rig.close()
    assert not reactor.getDelayedCalls()


def test_nothing_has_ever_moved(rig: Rig) -> None:
    tunnel, client, server = rig.tunnel()
    rig.wait(IDLE - 1)
    assert rig.ended == []
    rig.wait(1 + LATE)
    assert rig.ended == ["cD"]
    assert tunnel.idle
    assert client.has_ended()
    assert server.has_ended()
    assert not (client.reset or server.reset)


@pytest.mark.parametrize("way", ["up", "down"])
def test_a_byte_either_way_is_enough(rig: Rig, way: str) -> None:
    _, client, server = rig.tunnel()
    for _ in range(4):
        rig.wait(IDLE - LATE - 1)
        (client if way == "up" else server).sock.send(b"x")
    rig.wait(IDLE - LATE - 1)
    assert (client if way == "down" else server).read() == b"xxxx"
    assert rig.ended == []
    rig.wait(2 * LATE + 1)
    assert rig.ended == ["cD"]


def test_each_has_its_own_time(rig: Rig) -> None:
    rig.tunnel()
    rig.wait(IDLE / 2)
    late, *_ = rig.tunnel()
    rig.wait(IDLE / 2 + LATE)
    assert rig.tunnels == {late}
    rig.wait(IDLE / 2 + LATE)
    assert rig.tunnels == set()


def test_a_reader_that_takes_nothing_is_idle_and_sees_a_break(rig: Rig) -> None:
    _, client, server = rig.tunnel()
    server.sock.setblocking(False)
    try:
        while True:
            server.sock.send(b"x" * 65_536)
            rig.reactor.turn(0)
    except BlockingIOError:
        rig.wait(1)
    rig.wait(IDLE + LATE)
    assert rig.ended == ["cD"]
    client.read()
    assert client.reset


@pytest.mark.parametrize("who", ["client", "server"])
def test_one_side_has_ended(rig: Rig, who: str) -> None:
    _, client, server = rig.tunnel()
    ends, stays = (client, server) if who == "client" else (server, client)
    ends.sock.shutdown(socket.SHUT_WR)
    rig.reactor.until(stays.has_ended)
    rig.wait(HALF_CLOSED - 1)
    assert rig.ended == []
    stays.sock.send(b"still here")
    rig.reactor.until(ends.holds(b"still here"))
    rig.wait(HALF_CLOSED - LATE)
    assert rig.ended == []
    rig.wait(2 * LATE)
    assert rig.ended == ["sD" if who == "client" else "cD"]


def test_an_end_after_a_long_silence_begins_the_time_anew(reactor: HandReactor, poller: Poller) -> None:
    rig = Rig(reactor, poller, None, HALF_CLOSED)
    _, client, server = rig.tunnel()
    rig.wait(2 * IDLE)
    client.sock.shutdown(socket.SHUT_WR)
    rig.reactor.until(server.has_ended)
    rig.wait(HALF_CLOSED - 1)
    assert rig.ended == []
    rig.wait(1 + LATE)
    assert rig.ended == ["sD"]
    rig.close()


def test_without_a_limit_only_half_closed_ones_end(reactor: HandReactor, poller: Poller) -> None:
    rig = Rig(reactor, poller, None, HALF_CLOSED)
    lives, *_ = rig.tunnel()
    _, client, _ = rig.tunnel()
    client.sock.shutdown(socket.SHUT_WR)
    rig.wait(10 * IDLE)
    assert rig.tunnels == {lives}
    rig.close()


def test_a_clock_that_is_set_forward_ends_nothing(rig: Rig) -> None:
    rig.tunnel()
    rig.wait(10)
    rig.reactor.advance(10 * IDLE)
    assert rig.ended == []


def test_nobody_looks_any_more(rig: Rig) -> None:
    rig.tunnel()
    rig.idle.stop()
    rig.idle.stop()
    rig.wait(10 * IDLE)
    assert rig.ended == []


@pytest.mark.parametrize(
    ("times", "seconds"),
    [((None, 300.0), 15.0), ((64.0, 300.0), 4.0), ((None, 16.0), 1.0), ((4.0, 300.0), 1.0), ((0.5, 300.0), 0.5)],
)
def test_how_often(times: tuple[float | None, ...], seconds: float) -> None:
    assert interval(*times) == seconds
