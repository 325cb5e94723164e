"""One tcp service, request by request: what a client sends ahead, a side that it ends early, and another protocol."""

import socket

from portico.config import Tcp
from portico.flow import SMALL
from portico.targets.sending import PIPELINED

from .support.splitrig import FORWARDED, OK, Rig, get, sent
from .support.wires import Inbox, arrive, reset

# -- pipelining and half-close


def test_pipelined_requests_are_answered_in_order(rig: Rig) -> None:
    paths = [b"/a/%d" % number for number in range(5)]
    client = rig.connect(b"".join(map(get, paths)))
    server = rig.accept()
    for path in paths:
        rig.expect(server, sent(get(path)))
        assert rig.no_more_connections()
        server.sock.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n" + path)
    rig.reactor.until(lambda: client.read().count(b"HTTP/1.1") == 5)
    assert [client.data.index(path) for path in paths] == sorted(client.data.index(path) for path in paths)


def test_what_is_pipelined_has_a_limit(rig: Rig) -> None:
    client = rig.connect(get())
    server = rig.accept()
    client.sock.setblocking(False)
    more = get(b"/a/2", b"X: " + b"x" * 1000)
    pushed = 0
    for _ in range(20_000):
        try:
            pushed += client.sock.send(more)
        except BlockingIOError:
            break
        rig.reactor.turn(0)
    else:
        raise AssertionError("everything was taken")
    (session,) = rig.target._split._sessions
    assert PIPELINED <= len(session._buffer) <= PIPELINED + SMALL
    rig.reactor.settle()
    rig.expect(server, sent(get()))
    server.sock.send(OK)
    rig.expect(client, OK)
    rig.expect(server, sent(more))


def test_a_half_closed_client_gets_its_answers(rig: Rig) -> None:
    client = rig.connect(get() + get(b"/a/2"))
    server = rig.accept()
    client.sock.shutdown(socket.SHUT_WR)
    for path in (b"/a/1", b"/a/2"):
        rig.expect(server, sent(get(path)))
        rig.reactor.settle()  # and nothing spins meanwhile
        server.sock.send(OK)
    assert rig.ends(client) == OK + OK
    assert rig.idle == 1


def test_an_answer_to_a_client_that_has_gone(rig: Rig) -> None:
    client = rig.connect(get())
    server = rig.accept()
    rig.expect(server, sent(get()))
    reset(client.sock)
    rig.reactor.until(server.has_ended)
    assert rig.loads == [0]
    assert rig.logged.lines[0]["ended"] == "CH"


UPGRADE = get(b"/a/ws", b"Upgrade: websocket", b"Connection: upgrade")
SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n"


# -- another protocol


def test_an_upgrade_becomes_a_tunnel(rig: Rig) -> None:
    client = rig.connect(UPGRADE + b"early")
    server = rig.accept()
    expected = UPGRADE.replace(b"Connection: upgrade\r\n\r\n", b"Connection: upgrade\r\n" + FORWARDED + b"\r\n")
    rig.expect(server, expected)
    server.sock.send(SWITCHED + b"hello")
    rig.expect(client, SWITCHED + b"hello")
    rig.expect(server, b"early")
    client.sock.send(get(b"/b/not-http"))
    rig.expect(server, get(b"/b/not-http"))
    assert rig.loads == [1]
    ((_, ends),) = rig.target._tunnels._awake.items()
    assert ends.arrival.onward is None  # what is remembered of its requests has no use for the days that it may live
    server.sock.shutdown(socket.SHUT_WR)
    assert rig.ends(client) == b""
    client.sock.send(b"bye")
    rig.expect(server, b"bye")
    client.sock.close()
    rig.reactor.until(server.has_ended)
    rig.reactor.settle()
    (line,) = rig.logged.lines
    assert line["down"] == len(SWITCHED) + 5
    assert line["up"] == len(expected) + len(b"early") + len(get(b"/b/not-http")) + 3
    assert rig.loads == [0]


def test_an_upgrade_that_is_declined(rig: Rig) -> None:
    client = rig.connect(UPGRADE)
    server = rig.accept()
    server.read()
    server.sock.send(OK)
    rig.expect(client, OK)
    server.data = b""
    rig.exchange(client, server, get(b"/a/2"))


def test_split_is_the_default_and_needs_a_head(rig: Rig) -> None:
    """Without a request head there is nothing to split by: such a connection is left alone."""
    assert Tcp("h:1").keepalive == "split"
    client, arrival = arrive(b"SSH-2.0-x\r\n")
    rig.sockets.append(client)
    rig.service.put_through(arrival)
    server = rig.accept()
    rig.expect(server, b"SSH-2.0-x\r\n")
    server.sock.send(b"SSH-2.0-y\r\n")
    rig.expect(Inbox(client), b"SSH-2.0-y\r\n")
