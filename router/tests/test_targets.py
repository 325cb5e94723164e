"""One suite against all three targets: what a client and a service may rely on, however the connection is put through."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from portico.poller import Poller
from svckit.live import GOODBYE_TIME

from .support.alltargets import ALL
from .support.echo import Echo, EchoHandler
from .support.reactor import HandReactor
from .support.ways import HEAD, LIMITS, PREFIXES, TcpWays, Ways, open_of, running
from .support.wires import Logged, parse_response


@pytest.fixture(params=ALL)
def ways(request: pytest.FixtureRequest, reactor: HandReactor, poller: Poller, logged: Logged, folder: Path) -> Iterator[Ways]:
    yield from running(ALL[request.param], reactor, poller, logged, folder)


@pytest.mark.parametrize("body", [b"", b"\0\r\nbody\xff", b"b" * 100_000])
def test_the_preface_is_replayed_exactly_and_the_body_follows(ways: Ways, body: bytes) -> None:
    ways.serve("alpha")
    client = ways.connect(HEAD + body)
    ways.until(client, HEAD + body)
    for number in range(20):
        client.sock.send(b"<%d>" % number)
        ways.until(client, b"<%d>" % number)
    said, _, echoed = client.data.partition(b"\n")
    assert said.startswith(b"alpha sees ")
    assert echoed == HEAD + body + b"".join(b"<%d>" % number for number in range(20))


def test_bytes_that_come_while_it_is_put_through_keep_their_order(ways: Ways) -> None:
    ways.serve("alpha")
    client = ways.connect(HEAD)
    client.sock.send(b"first,")  # nobody has turned the reactor yet
    client.sock.send(b"second,")
    ways.hands.settle()
    client.sock.send(b"third")
    assert ways.until(client, b"third").partition(b"\n")[2] == HEAD + b"first,second,third"


def test_bulk_both_ways(ways: Ways) -> None:
    ways.serve("alpha")
    client = ways.connect(HEAD)
    ways.until(client, HEAD)
    client.data = b""
    data = os.urandom(4 << 20)
    sent = 0
    while len(client.data) < len(data):
        if sent < len(data):
            with suppress(BlockingIOError):
                sent += client.sock.send(data[sent : sent + 262_144])
        ways.hands.turn(0.001)
        client.read()
        assert not client.ended
    assert client.data == data


@pytest.mark.parametrize("seen", [None, ("203.0.113.7", 4711), ("2001:db8::7", 4711)])
def test_the_clients_address(ways: Ways, seen: tuple[str, int] | None) -> None:
    ways.serve("alpha")
    client = ways.connect(HEAD, seen)
    line = ways.until(client, HEAD).partition(b"\n")[0].decode()
    address = "{} {}".format(*(seen or client.sock.getsockname()))
    if ways.promises_address:
        assert line == f"alpha sees {address}"
    else:
        assert line != f"alpha sees {address}"


def test_each_prefix_goes_to_its_own_service(ways: Ways) -> None:
    for _, name in PREFIXES:
        ways.serve(name)
    for path, owner in ((b"/a/x", b"alpha"), (b"/b/y", b"beta"), (b"/x/../%61/z", b"alpha"), (b"/b", b"beta")):
        client = ways.connect(b"GET %s HTTP/1.1\r\nHost: h\r\n\r\n" % path)
        assert ways.until(client, b" HTTP/1.1\r\nHost: h\r\n\r\n").startswith(owner + b" ")


def test_a_head_that_takes_its_time(ways: Ways) -> None:
    ways.serve("alpha")
    client = ways.connect(b"")
    for at in range(len(HEAD)):
        client.sock.send(HEAD[at : at + 1])
        ways.hands.settle()
    assert ways.until(client, HEAD).partition(b"\n")[2] == HEAD


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /c/x HTTP/1.1\r\nHost: h\r\n\r\n", 404),
        (b"GET /ax HTTP/1.1\r\nHost: h\r\n\r\n", 404),
        (b"GET /../a/x HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"GET /a/x HTTP/1.1\r\n\r\n", 400),
        (b"GET /a/x HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n", 400),
        (b"GET /a/x HTTP/1.0\r\nHost: h\r\nHost: h\r\n\r\n", 400),
        (b"GET /a/x HTTP/1.1\r\nHost: h h\r\n\r\n", 400),
        (b"GET /a/x HTTP/1.1\r\nHost: h\r\n" + b"A: b\r\n" * 128 + b"\r\n", 431),
        (b"GET /a/x HTTP/1.1\nbad\r\n\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        (b"GET /a/ HTTP/1.1\r\nA: " + b"x" * 20_000, 431),
    ],
)
def test_what_the_router_answers_itself(ways: Ways, request_: bytes, status: int) -> None:
    ways.serve("alpha")
    client = ways.connect(request_)
    ways.hands.until(client.has_ended)
    assert not client.reset
    assert parse_response(client.data)[0].status == status
    assert ways.router.counts == {"accepted": 1, f"answered {status}": 1}
    assert [(line["how"], line["status"], line["ended"]) for line in ways.logged.lines] == [("answered", status, "PR")]


def test_the_access_log_has_one_line(ways: Ways) -> None:
    ways.serve("alpha")
    client = ways.connect(HEAD)
    ways.until(client, HEAD)
    if not isinstance(ways, TcpWays):
        client.sock.shutdown(socket.SHUT_WR)
    client.sock.close()
    ways.hands.until(lambda: ways.logged.lines)
    ways.hands.settle()
    (line,) = ways.logged.lines
    assert (line["how"], line["service"], line["method"], line["target"], line["host"]) == (
        ways.how,
        "alpha",
        "GET",
        "/a/x",
        "h",
    )
    assert line["status"] is None
    if isinstance(ways, TcpWays):
        greeted = len(client.data) - len(HEAD)
        assert (line["up"], line["down"]) == (len(HEAD), len(HEAD) + greeted)


def test_the_services_end_reaches_the_client(ways: Ways, monkeypatch: pytest.MonkeyPatch) -> None:
    def say_and_close(echo: Echo, data: bytes) -> None:
        assert echo.transport is not None
        echo.transport.write(b"that is all")
        echo.transport.loseConnection()

    def handle(handler: EchoHandler) -> None:
        handler.request.recv(65_536)
        handler.request.sendall(b"that is all")

    monkeypatch.setattr(Echo, "dataReceived", say_and_close)
    monkeypatch.setattr(EchoHandler, "handle", handle)
    ways.serve("alpha")
    client = ways.connect(HEAD)
    ways.hands.until(client.has_ended)
    assert client.data.endswith(b"that is all")
    assert not client.reset


def test_the_clients_end_reaches_the_service(ways: Ways, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = threading.Event()
    monkeypatch.setattr(Echo, "connectionLost", lambda echo, reason: ended.set())
    monkeypatch.setattr(EchoHandler, "finish", lambda handler: ended.set())
    ways.serve("alpha")
    client = ways.connect(HEAD)
    ways.until(client, HEAD)
    client.sock.close()
    ways.hands.until(ended.is_set)


def test_status_counts_the_open_connections(ways: Ways) -> None:
    service = ways.serve("alpha")
    assert service.target.status()["target"] == ways.kind
    assert open_of(service) == [0]
    clients = [ways.connect(HEAD) for _ in range(3)]
    for client in clients:
        ways.until(client, HEAD)
    assert open_of(service) == [3]
    for client in clients:
        client.sock.close()

    def none_left() -> bool:
        ways.hands.advance(0.05)  # a replica reports its load in batches
        return open_of(service) == [0]

    ways.hands.until(none_left)


def test_a_drain_lets_connections_end(ways: Ways) -> None:
    service = ways.serve("alpha")
    client = ways.connect(HEAD)
    ways.until(client, HEAD)
    done: list[None] = []
    service.target.stop().addCallback(done.append)
    ways.hands.settle()
    assert done == ([] if ways.holds_connections else [None])
    client.sock.send(b"still served")
    ways.until(client, b"still served")
    client.sock.close()
    ways.hands.until(lambda: done)
    assert done == [None]


def test_a_drain_ends_when_its_time_is_up(ways: Ways) -> None:
    service = ways.serve("alpha")
    client = ways.connect(HEAD)
    ways.until(client, HEAD)
    done: list[None] = []
    service.target.stop().addCallback(done.append)
    ways.hands.advance(LIMITS.drain_time - 0.1)
    ways.hands.settle()
    assert done == ([] if ways.holds_connections else [None])
    ways.hands.advance(0.2)
    ways.hands.settle()
    ways.hands.advance(GOODBYE_TIME)
    ways.hands.settle()
    assert done == [None]
    assert client.has_ended() == ways.holds_connections  # a replica drains by itself, later


def test_a_drain_with_nothing_open_is_over_at_once(ways: Ways) -> None:
    service = ways.serve("alpha")
    done: list[None] = []
    service.target.stop().addCallback(done.append)
    assert done == [None]
