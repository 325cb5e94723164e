"""One tcp service, request by request: over real sockets, with a server whose every word the test says itself."""

import socket

import pytest
from portico.config import Tcp
from portico.core.clienthello import TlsFacts
from portico.flow import SMALL
from portico.targets.session import PIPELINED

from .support.splitrig import FORWARDED, OK, Rig, get, sent
from .support.wires import Inbox, arrive, reset

# -- one exchange after the other


def test_requests_share_one_connection_to_the_server(rig: Rig) -> None:
    client = rig.connect(get())
    server = rig.accept()
    rig.expect(server, sent(get()))
    assert rig.loads == [1]
    server.sock.send(OK)
    rig.expect(client, OK)
    assert rig.loads == [0]
    for number in range(3):
        rig.exchange(client, server, get(b"/a/%d" % number, b"X: %d" % number))
    assert rig.no_more_connections()
    client.sock.close()
    rig.reactor.settle()
    (line,) = rig.logged.lines
    assert (line["how"], line["ended"], line["replica"]) == ("tcp", "--", "{}:{}".format(*rig.at))
    assert line["down"] == 4 * len(OK)
    assert line["up"] == len(sent(get())) + 3 * len(sent(get(b"/a/0", b"X: 0")))


def test_clients_share_the_pool(rig: Rig) -> None:
    first = rig.connect(get())
    server = rig.accept()
    rig.expect(server, sent(get()))
    second = rig.connect(get(b"/a/2"))
    other = rig.accept()  # the first is busy
    rig.expect(other, sent(get(b"/a/2")))
    server.sock.send(OK)
    other.sock.send(OK)
    rig.expect(first, OK)
    rig.expect(second, OK)
    assert rig.idle == 2
    third = rig.connect(get(b"/a/3"))
    rig.reactor.until(lambda: server.read() or other.read())
    assert rig.no_more_connections()
    third.sock.close()


@pytest.mark.parametrize("step", [1, 3, 10_000])
def test_a_response_in_pieces_goes_through_as_it_comes(rig: Rig, step: int) -> None:
    client = rig.connect(get())
    server = rig.accept()
    wire = b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    wire += b"5\r\nhello\r\n0\r\nX: y\r\n\r\n"
    for at in range(0, len(wire), step):
        server.sock.send(wire[at : at + step])
        rig.reactor.settle()
    rig.expect(client, wire)
    rig.exchange(client, server, get(b"/a/2"))
    assert rig.idle == 1


def test_a_response_begins_before_it_is_whole(rig: Rig) -> None:
    client = rig.connect(get())
    server = rig.accept()
    server.sock.send(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\na")
    rig.expect(client, b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\na")
    assert rig.idle == 0
    server.sock.send(b"bc")
    rig.expect(client, b"bc")
    assert rig.idle == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 100\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx",
    ],
)
def test_responses_without_a_body(rig: Rig, answer: bytes) -> None:
    client = rig.connect(get())
    server = rig.accept()
    rig.expect(server, sent(get()))
    server.sock.send(answer)
    rig.expect(client, answer)
    rig.exchange(client, server, get(b"/a/2"))


def test_head_has_no_body(rig: Rig) -> None:
    client = rig.connect(get(method=b"HEAD"))
    server = rig.accept()
    rig.expect(server, sent(get(method=b"HEAD")))
    for coding in (b"Content-Length: 1000", b"Transfer-Encoding: chunked"):
        answer = b"HTTP/1.1 200 OK\r\n%b\r\n\r\n" % coding
        server.sock.send(answer)
        rig.expect(client, answer)
        client.sock.send(get(method=b"HEAD"))
        rig.expect(server, sent(get(method=b"HEAD")))


def test_hop_by_hop_fields_end_here(rig: Rig) -> None:
    client = rig.connect(get(b"/a/1", b"Connection: keep-alive, X-Mine", b"X-Mine: 1", b"Keep-Alive: 9"))
    server = rig.accept()
    rig.expect(server, sent(get()))
    server.sock.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\nKeep-Alive: 9\r\nContent-Length: 2\r\n\r\nok")
    rig.expect(client, OK)
    assert rig.ends(server) == b""  # it said close
    client.sock.send(get(b"/a/2"))  # and the client's connection goes on
    rig.expect(rig.accept(), sent(get(b"/a/2")))


def test_tls_that_ended_in_the_router_is_told_and_remembered(rig: Rig) -> None:
    client, arrival = arrive(get())
    rig.sockets.append(client)
    arrival.tls_facts = TlsFacts(b"h", ())
    rig.service.put_through(arrival)
    server = rig.accept()
    rig.expect(server, sent(get()).replace(b"Proto: http", b"Proto: https"))
    server.sock.send(OK)
    client.send(get(b"/b/1"))
    rig.reactor.until(lambda: rig.returned)
    assert rig.returned[0].tls_facts == arrival.tls_facts


def test_the_fields_of_each_request_are_its_own(rig: Rig) -> None:
    client = rig.connect(get(b"/a/1", b"X-Forwarded-For: 1.1.1.1"))
    server = rig.accept()
    rig.expect(server, sent(get()).replace(b"For: ", b"For: 1.1.1.1, "))
    server.sock.send(OK)
    rig.expect(client, OK)
    rig.exchange(client, server, get(b"/a/1", b"X: 1"))
    rig.exchange(client, server, get(b"/a/2", b"X: 1"))
    rig.exchange(client, server, get(b"/a/2", b"X: 2"))


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


# -- another protocol

UPGRADE = get(b"/a/ws", b"Upgrade: websocket", b"Connection: upgrade")
SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n"


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
