"""One tcp service, request by request: how connections end, with the last answer, badly, or in a drain."""

import socket
from collections.abc import Callable

import pytest
from portico.core.answers import BAD_RESPONSE
from portico.linger import LINGER_TIME
from portico.targets.split import LAST_REQUESTS

from .support.splitrig import OK, Rig, get, sent
from .support.wires import reset

# -- how connections end


def test_a_client_that_wants_to_close_leaves_the_servers_connection_open(rig: Rig) -> None:
    _first, server = rig.kept()
    for number in range(3):
        client = rig.connect(get(b"/a/%d" % number, b"Connection: close"))
        rig.expect(server, sent(get(b"/a/%d" % number)))
        server.sock.send(OK)
        assert rig.ends(client) == OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
        assert not client.reset
    assert rig.idle == 1
    assert [line["ended"] for line in rig.logged.lines] == ["--"] * 3


def test_a_client_of_http_1_0(rig: Rig) -> None:
    client = rig.connect(get(version=b"1.0"))
    server = rig.accept()
    rig.expect(server, sent(get(version=b"1.0")))
    server.sock.send(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 200 OK\r\n\r\nall")
    server.sock.close()
    assert rig.ends(client) == b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall"


def test_http_1_0_does_not_know_chunks(rig: Rig) -> None:
    rig.connect(get(version=b"1.0"))
    rig.accept().sock.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
    rig.reactor.settle()
    assert rig.answers.kinds == [BAD_RESPONSE]


def test_a_body_until_the_end(rig: Rig) -> None:
    client = rig.connect(get())
    server = rig.accept()
    server.sock.send(b"HTTP/1.1 200 OK\r\nX: y\r\n\r\nsome")
    rig.expect(client, b"HTTP/1.1 200 OK\r\nX: y\r\nConnection: close\r\n\r\nsome")
    server.read()
    server.sock.send(b"more")
    server.sock.close()
    assert rig.ends(client) == b"more"
    assert not client.reset


def test_a_body_until_the_end_that_is_reset(rig: Rig) -> None:
    client = rig.connect(get())
    server = rig.accept()
    server.sock.send(b"HTTP/1.1 200 OK\r\n\r\nsome")
    rig.reactor.until(client.holds(b"some"))
    reset(server.sock)
    rig.reactor.until(client.has_ended)
    assert client.reset  # nothing else tells the client that this is not all


@pytest.mark.parametrize("begun", [b"Content-Length: 9\r\n\r\nsome", b"Transfer-Encoding: chunked\r\n\r\n9\r\nsome"])
@pytest.mark.parametrize("ending", [socket.socket.close, reset], ids=["close", "reset"])
def test_a_server_that_ends_within_a_response(rig: Rig, begun: bytes, ending: Callable[[socket.socket], None]) -> None:
    client = rig.connect(get())
    server = rig.accept()
    wire = b"HTTP/1.1 200 OK\r\n" + begun
    server.sock.send(wire)
    rig.reactor.until(client.holds(b"some"))
    server.read()
    ending(server.sock)
    assert rig.ends(client) == wire  # no 502 in the middle of it, no last chunk
    assert rig.logged.lines[0]["ended"] == "SD"
    assert rig.idle == 0


def test_a_malformed_chunk_in_a_response_breaks_it_off(rig: Rig) -> None:
    client = rig.connect(get())
    server = rig.accept()
    server.sock.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
    rig.reactor.until(client.holds(b"hello"))
    server.sock.send(b"0x5\r\nworld\r\n0\r\n\r\n")
    assert rig.ends(client).endswith(b"hello\r\n")


BAD_ANSWERS = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
    b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
    b"HTTP/1.1 200 OK\r\nX: y\r\n folded\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    b"SSH-2.0-OpenSSH\r\n",
    b"HTTP/2 200\r\n\r\n",
]


@pytest.mark.parametrize("answer", BAD_ANSWERS)
def test_a_malformed_response_is_not_passed_on(rig: Rig, answer: bytes) -> None:
    client = rig.connect(get())
    server = rig.accept()
    server.read()
    server.sock.send(answer)
    assert rig.ends(client) == b""
    assert rig.answers.kinds == [BAD_RESPONSE]
    rig.reactor.until(server.has_ended)
    assert rig.idle == 0


def test_more_than_the_response_spoils_the_connection(rig: Rig) -> None:
    client = rig.connect(get())
    server = rig.accept()
    server.sock.send(OK + b"HTTP/1.1 200 OK\r\n")
    rig.expect(client, OK)
    rig.reactor.until(server.has_ended)
    client.sock.send(get(b"/a/2"))
    rig.expect(rig.accept(), sent(get(b"/a/2")))


def test_a_204_with_a_length_spoils_the_connection(rig: Rig) -> None:
    client = rig.connect(get())
    server = rig.accept()
    server.sock.send(b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n")
    rig.reactor.until(client.holds(b"\r\n\r\n"))
    assert rig.idle == 0


def test_an_unasked_word_on_an_idle_connection_ends_it(rig: Rig) -> None:
    client = rig.connect(get())
    server = rig.accept()
    server.sock.send(OK)
    rig.expect(client, OK)
    server.sock.send(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
    rig.reactor.until(server.has_ended)
    assert rig.idle == 0
    assert client.read() == b""


# -- drain


def test_drain_ends_idle_clients_and_finishes_the_others(rig: Rig) -> None:
    idle, server = rig.kept()
    busy = rig.connect(get(b"/a/2"))
    rig.expect(server, sent(get(b"/a/2")))
    done: list[object] = []
    rig.target.stop().addCallback(done.append)
    rig.reactor.advance(LAST_REQUESTS - 0.1)
    rig.reactor.settle()
    assert not idle.has_ended()
    rig.reactor.advance(0.1)
    assert rig.ends(idle) == b""
    assert not done
    server.sock.send(OK)
    assert rig.ends(busy) == OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    assert done
    rig.reactor.until(server.has_ended)
    busy.sock.close()
    rig.reactor.advance(LINGER_TIME)


def test_a_client_that_asks_once_more_in_the_drain_is_told_that_it_was_the_last_time(rig: Rig) -> None:
    """One was idle; of the other the answer had begun, without a word of closing."""
    idle, server = rig.kept()
    busy = rig.connect(get(b"/a/busy"))
    rig.expect(server, sent(get(b"/a/busy")))
    server.sock.send(OK[:-1])
    rig.reactor.until(lambda: busy.read())
    done: list[object] = []
    rig.target.stop().addCallback(done.append)
    server.sock.send(OK[-1:])
    rig.expect(busy, OK)
    last = OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    for client in (idle, busy):
        client.data = b""
        client.sock.send(get(b"/a/once-more"))
        fresh = rig.accept()
        rig.expect(fresh, sent(get(b"/a/once-more")))
        assert not done
        fresh.sock.send(OK)
        assert rig.ends(client) == last
        client.sock.close()
    rig.reactor.until(lambda: done)
    rig.reactor.advance(LINGER_TIME)


def test_drain_cuts_what_does_not_end(rig: Rig) -> None:
    busy = rig.connect(get())
    server = rig.accept()
    rig.expect(server, sent(get()))
    done: list[object] = []
    rig.target.stop().addCallback(done.append)
    rig.reactor.advance(rig.limits.drain_time)
    assert done
    rig.reactor.until(busy.has_ended)
    assert busy.reset
    rig.reactor.until(server.has_ended)
    assert rig.logged.lines[0]["ended"] == "KH"
