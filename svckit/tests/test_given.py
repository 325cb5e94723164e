"""Tests of the socket that a service is given."""

import os
import socket

import pytest
from svckit.handoff.codec import Connection, Tls
from svckit.handoff.given import socket_of

CLIENT, LISTENER = ("127.0.0.1", 5), ("127.0.0.1", 80)
TOLD = Connection(1, CLIENT, LISTENER, b"")


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_of_tcp(family: socket.AddressFamily) -> None:
    with socket.socket(family, socket.SOCK_STREAM) as theirs:
        made = socket_of(TOLD, os.dup(theirs.fileno()))
        with socket.socket(fileno=os.dup(theirs.fileno())) as asked, made:
            assert (made.family, made.type, made.proto) == (asked.family, asked.type, asked.proto)


def test_of_tls() -> None:
    ours, theirs = socket.socketpair()
    with ours, socket_of(TOLD._replace(tls=Tls("", "")), os.dup(theirs.fileno())) as made, theirs:
        assert (made.family, made.type, made.proto) == (socket.AF_UNIX, socket.SOCK_STREAM, 0)
        ours.send(b"x")
        assert made.recv(1) == b"x"


def test_what_is_no_socket_stays_the_caller_s() -> None:
    outlet, inlet = os.pipe()
    try:
        with pytest.raises(OSError, match="non-socket"):
            socket_of(TOLD, outlet)
        os.fstat(outlet)
    finally:
        os.close(outlet)
        os.close(inlet)
