"""One tcp service, request by request: the connections to its server, kept and tried again."""

import socket
from collections.abc import Callable

import pytest
from portico.config import Limits
from portico.core.answers import NO_RESPONSE
from portico.targets.split import SWEEP_INTERVAL

from .support.splitrig import OK, Rig, get, post, sent
from .support.wires import reset


def test_a_stale_connection_is_replaced_by_a_fresh_one_and_that_by_one_more(rig: Rig) -> None:
    client, server = rig.kept()
    client.sock.send(get(b"/a/2"))
    rig.expect(server, sent(get(b"/a/2")))  # the server ends as the request arrives
    server.sock.close()
    fresh = rig.accept()
    rig.expect(fresh, sent(get(b"/a/2")))
    fresh.sock.close()
    last = rig.accept()
    rig.expect(last, sent(get(b"/a/2")))
    last.sock.close()  # and that is enough
    assert rig.ends(client) == b""
    assert rig.answers.kinds == [NO_RESPONSE]
    assert rig.no_more_connections()


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (get(method=b"POST"), b""),
        (get(method=b"PATCH"), b""),
        (get(b"/a/2", b"Content-Length: 5", method=b"PUT") + b"he", b""),
        (get(), b"HTTP/1.1 2"),
        (get(), b"HTTP/1.1 103 X\r\n\r\n"),
    ],
    ids=["post", "patch", "body to come", "head begun", "interim"],
)
def test_what_is_not_tried_again(rig: Rig, request_: bytes, said: bytes) -> None:
    client, server = rig.kept()
    client.sock.send(request_)
    rig.expect(server, sent(request_))
    server.sock.send(said)
    rig.reactor.settle()
    server.sock.close()
    rig.reactor.until(client.has_ended)
    assert rig.answers.kinds == [NO_RESPONSE]
    assert rig.no_more_connections()


def test_a_put_with_its_whole_body_is_tried_again(rig: Rig) -> None:
    client, server = rig.kept()
    put = get(b"/a/2", b"Content-Length: 5", method=b"PUT") + b"hello"
    client.sock.send(put)
    rig.expect(server, sent(put))
    reset(server.sock)
    fresh = rig.accept()
    rig.expect(fresh, sent(put))
    fresh.sock.send(OK)
    rig.expect(client, OK)


@pytest.mark.parametrize("how", [lambda sock: sock.close(), lambda sock: reset(sock)], ids=["end", "reset"])
def test_a_server_that_accepts_and_says_nothing_is_tried_once_more(rig: Rig, how: Callable[[socket.socket], None]) -> None:
    """As one does that stops: what was in its queue when it closed its port is never looked at."""
    client = rig.connect(get())
    server = rig.accept()
    rig.expect(server, sent(get()))
    how(server.sock)
    other = rig.accept()
    rig.expect(other, sent(get()))
    other.sock.send(OK)
    rig.expect(client, OK)


def test_a_fresh_connection_is_tried_again_once(rig: Rig) -> None:
    client = rig.connect(get())
    for _ in range(2):
        server = rig.accept()
        rig.expect(server, sent(get()))
        server.sock.close()
    assert rig.ends(client) == b""
    assert rig.answers.kinds == [NO_RESPONSE]
    assert rig.no_more_connections()


def test_a_post_on_a_fresh_connection_is_not_tried_again(rig: Rig) -> None:
    client = rig.connect(post(b"Content-Length: 0"))
    server = rig.accept()
    rig.expect(server, sent(post(b"Content-Length: 0")))
    server.sock.close()
    assert rig.ends(client) == b""
    assert rig.answers.kinds == [NO_RESPONSE]
    assert rig.no_more_connections()


def reset_what_comes(rig: Rig, request_: bytes) -> None:
    """A server that has accepted, and stops."""
    server = rig.accept()
    rig.expect(server, sent(request_))
    reset(server.sock)


def test_a_fresh_connection_that_is_reset_is_tried_once_more(rig: Rig) -> None:
    """A server that stops resets what the kernel had accepted for it."""
    client = rig.connect(get())
    reset_what_comes(rig, get())
    fresh = rig.accept()
    rig.expect(fresh, sent(get()))
    fresh.sock.send(OK)
    rig.expect(client, OK)


def test_a_connection_that_is_reset_again_is_not_tried_again(rig: Rig) -> None:
    client = rig.connect(get())
    reset_what_comes(rig, get())
    reset_what_comes(rig, get())
    assert rig.ends(client) == b""
    assert rig.answers.kinds == [NO_RESPONSE]
    assert rig.no_more_connections()


def test_a_post_whose_connection_is_reset_is_not_tried_again(rig: Rig) -> None:
    client = rig.connect(get(method=b"POST"))
    reset_what_comes(rig, get(method=b"POST"))
    assert rig.ends(client) == b""
    assert rig.answers.kinds == [NO_RESPONSE]
    assert rig.no_more_connections()


def test_a_request_that_cannot_be_repeated_is_not_sent_into_the_void(rig: Rig) -> None:
    client, server = rig.kept()
    client.sock.send(post(b"Content-Length: 0"))
    server.sock.close()  # before the router looks at either
    fresh = rig.accept()
    rig.expect(fresh, sent(post(b"Content-Length: 0")))
    assert not rig.answers.kinds


def test_idle_connections_to_the_server_are_closed_in_time(rig: Rig) -> None:
    rig.target.stop()
    rig.make(idle_time=3.0)
    client = rig.connect(get())
    server = rig.accept()
    server.sock.send(OK)
    rig.expect(client, OK)
    rig.reactor.pump([SWEEP_INTERVAL] * 2)
    assert rig.idle == 1
    rig.reactor.pump([SWEEP_INTERVAL] * 2)
    assert rig.idle == 0
    assert rig.ends(server) == sent(get())
    assert not client.has_ended()


def test_the_pool_has_a_size(rig: Rig) -> None:
    rig.target.stop()
    rig.make(idle_connections=2)
    clients = [rig.connect(get()) for _ in range(4)]
    servers = [rig.accept() for _ in clients]
    for server in servers:
        rig.expect(server, sent(get()))
        server.sock.send(OK)
        rig.reactor.settle()
    for client in clients:
        rig.expect(client, OK)
    assert rig.idle == 2
    assert [server.has_ended() for server in servers] == [True, True, False, False]


def test_an_idle_client_is_closed_in_time(rig: Rig) -> None:
    rig.target.stop()
    rig.make(Limits(idle_timeout=5.0), idle_time=100.0)
    client = rig.connect(get())
    server = rig.accept()
    rig.expect(server, sent(get()))
    rig.reactor.pump([SWEEP_INTERVAL] * 10)  # a long exchange is not idle
    server.sock.send(OK)
    rig.expect(client, OK)
    rig.reactor.pump([SWEEP_INTERVAL] * 4)
    rig.exchange(client, server, get())
    rig.reactor.pump([SWEEP_INTERVAL] * 4)
    assert not client.has_ended()
    rig.reactor.pump([SWEEP_INTERVAL] * 2)
    assert rig.ends(client) == b""
    assert rig.logged.lines[0]["ended"] == "cR"
