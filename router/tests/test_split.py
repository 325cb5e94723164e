"""One tcp service, request by request: over real sockets, with a server whose every word the test says itself."""

import pytest
from portico.core.clienthello import TlsFacts

from .support.splitrig import OK, Rig, get, sent
from .support.wires import arrive


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
