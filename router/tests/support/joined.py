"""A client and a server with a tunnel between them."""

import socket

import pytest
from portico.pipes import Pipes
from portico.poller import Poller
from portico.tunnel import Tunnel, join

from .reactor import HandReactor
from .wires import Inbox, tcp_pair

__all__ = ["BOTH_WAYS", "Joined", "push", "two"]

BOTH_WAYS = pytest.mark.parametrize("way", ["up", "down"])


class Joined:
    """A client and a server with a tunnel between them."""

    def __init__(self, reactor: HandReactor, poller: Poller, pipes: Pipes, preface: bytes = b"", reply: bytes = b"") -> None:
        self.reactor = reactor
        client, ours = tcp_pair()
        server, theirs = tcp_pair()
        theirs.setblocking(False)  # as the tcp target makes it
        self.client, self.server = Inbox(client), Inbox(server)
        self.ends: list[tuple[str, int, int]] = []
        self.tunnel: Tunnel = join(ours, theirs, preface, poller, pipes, lambda *told: self.ends.append(told), reply)

    def over(self) -> bool:
        return bool(self.ends)

    def close(self) -> None:
        self.client.sock.close()
        self.server.sock.close()
        self.reactor.until(self.over)


def two(joined: Joined, way: str) -> tuple[Inbox, Inbox]:
    return (joined.client, joined.server) if way == "up" else (joined.server, joined.client)


def push(reactor: HandReactor, sock: socket.socket, data: bytes, until_stalled: bool = False) -> int:
    """Send while the tunnel turns; returns how much went out."""
    sock.setblocking(False)
    view, sent, idle = memoryview(data), 0, 0
    while sent < len(data) and idle < 20:
        try:
            sent += sock.send(view[sent : sent + 262_144])
            idle = 0
        except BlockingIOError:
            idle += 1 if until_stalled else 0
        reactor.turn(0.001)
    return sent
