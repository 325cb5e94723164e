"""Bytes that go past a transport's buffer."""

import socket
from typing import Any

from svckit.atonce import send, takes_at_once
from svckit.transport import AdoptedServer, address_of
from twisted.internet.protocol import Protocol
from twisted.internet.testing import MemoryReactorClock, StringTransport


def adopted(sock: socket.socket) -> Any:
    sock.setblocking(False)
    reactor: Any = MemoryReactorClock()
    server = AdoptedServer(sock, Protocol(), address_of("127.0.0.1", 7), reactor, lambda server: None)
    server.startReading()
    return server


def test_a_socket_with_nothing_on_its_way_out() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        server = adopted(ours)
        assert takes_at_once(server) and send(server, b"abc") == 3 and theirs.recv(9) == b"abc"
        server.write(b"later")
        assert not takes_at_once(server)
        server.doWrite()
        assert takes_at_once(server)
        server.loseConnection()
        assert not takes_at_once(server)


def test_a_socket_that_is_full_or_broken_takes_less() -> None:
    ours, theirs = socket.socketpair()
    with ours:
        server = adopted(ours)
        with theirs:
            sent = send(server, b"x" * 10**7)
            assert 0 < sent < 10**7 and send(server, b"x") == 0
        assert send(server, b"x") == 0, "the transport finds out"


def test_what_is_no_plain_socket() -> None:
    assert not takes_at_once(StringTransport())
