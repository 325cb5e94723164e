"""What only the tcp target does: limits of its own, tunnels that are idle, drains."""

import errno
from collections.abc import Iterator
from pathlib import Path

import pytest
from portico.config import Limits, Tcp
from portico.poller import Poller
from portico.targets import connect as connect_module

from .support.reactor import HandReactor
from .support.ways import HEAD, TcpWays, Ways, open_of, running
from .support.wires import Logged, nobody, parse_response


@pytest.fixture
def tcp(reactor: HandReactor, poller: Poller, logged: Logged, folder: Path) -> Iterator[Ways]:
    yield from running(TcpWays, reactor, poller, logged, folder)


def test_an_idle_tunnel_is_ended_and_the_log_says_why(tcp: TcpWays) -> None:
    server = tcp.server("alpha")
    tcp.target_of("alpha", Tcp("{}:{}".format(*server.at), keepalive="pin", tunnel_idle=30.0))
    client = tcp.connect(HEAD)
    tcp.until(client, HEAD)
    tcp.hands.pump([1.0] * 34)
    tcp.hands.until(client.has_ended)
    (line,) = tcp.logged.lines
    assert (line["ended"], line["why"], line["up"]) == ("cD", "idle", len(HEAD))


def test_one_request_for_each_connection(tcp: TcpWays) -> None:
    server = tcp.server("alpha")
    tcp.target_of("alpha", Tcp("{}:{}".format(*server.at), keepalive="close"))
    head = b"POST /a/x HTTP/1.1\r\nHost: h\r\nConnection: keep-alive\r\nContent-Length: 4\r\n\r\n"
    client = tcp.connect(head + b"bo")
    client.sock.send(b"dy")
    tcp.until(client, b"body")
    expected = b"POST /a/x HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbody"
    assert client.data.partition(b"\n")[2] == expected


def test_more_than_the_tunnels_wait(tcp: TcpWays) -> None:
    server = tcp.server("alpha")
    service = tcp.target_of("alpha", Tcp("{}:{}".format(*server.at), keepalive="pin"), Limits(tunnels=2))
    first, second, third = (tcp.connect(HEAD) for _ in range(3))
    tcp.until(second, b"\r\n\r\n")
    assert service.queued == 1
    first.sock.close()
    tcp.until(third, b"\r\n\r\n")
    assert service.queued == 0


def test_an_attempt_that_fails_makes_room_too(tcp: TcpWays) -> None:
    service = tcp.target_of("alpha", Tcp("{}:{}".format(*nobody()), keepalive="pin"), Limits(tunnels=1))
    clients = [tcp.connect(HEAD) for _ in range(3)]
    for client in clients:
        tcp.hands.until(client.has_ended)  # without anybody's time passing
        assert parse_response(client.data)[0].status == 502
    assert service.queued == 0


def test_without_a_descriptor_to_connect_with(tcp: TcpWays, monkeypatch: pytest.MonkeyPatch) -> None:
    server = tcp.server("alpha")
    service = tcp.target_of("alpha", Tcp("{}:{}".format(*server.at), keepalive="pin"), Limits(tunnels=1))

    def refuse(*args: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(connect_module, "RawSocket", refuse)
        client = tcp.connect(HEAD)
        tcp.hands.until(client.has_ended)
    assert parse_response(client.data)[0].status == 502
    assert open_of(service) == [0]
    tcp.until(tcp.connect(HEAD), b"\r\n\r\n")


def test_a_drain_waits_for_an_attempt(tcp: TcpWays) -> None:
    service = tcp.serve("alpha")
    client = tcp.connect(HEAD)
    done: list[None] = []
    service.target.stop().addCallback(done.append)
    assert done == []
    tcp.until(client, HEAD)
    assert done == []
    client.sock.close()
    tcp.hands.until(lambda: done)
