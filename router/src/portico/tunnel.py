"""Two sockets joined to a tunnel: `pump` moves what one sends to the other, and this begins and ends the two together."""

from _socket import socket as RawSocket
from collections.abc import Callable

from .core.termination import CLIENT, CLIENT_TIME, DATA, SERVER, SERVER_TIME
from .pipes import Pipes
from .poller import READ, WRITE, Poller
from .pump import End

__all__ = ["Ended", "Tunnel", "join", "rejoin"]

Ended = Callable[[str, int, int], None]
"""Told how it ended (`core.termination`), and the bytes up and down."""


class Tunnel:
    """The two ends together."""

    __slots__ = ("_ended", "client", "idle", "moved_before", "over", "pipes", "poller", "server")

    def __init__(self, client: RawSocket, server: RawSocket, poller: Poller, pipes: Pipes, ended: Ended) -> None:
        self.poller, self.pipes, self._ended = poller, pipes, ended
        self.over = self.idle = False
        self.client = End(client, server, CLIENT, self)
        self.server = End(server, client, SERVER, self)
        self.client.peer, self.server.peer = self.server, self.client
        self.moved_before = -1
        """What `moved` was when somebody last looked whether it is quiet."""

    @property
    def moved(self) -> int:
        """Bytes that have gone through, both ways."""
        return self.client.moved + self.server.moved

    @property
    def half_closed(self) -> bool:
        """Whether one of the two sends nothing more."""
        return self.client.at_eof or self.server.at_eof

    @property
    def is_quiet(self) -> bool:
        """Whether nothing is under way, and both sides may still send."""
        return self.client.is_quiet and self.server.is_quiet

    def lay_down(self) -> None:
        """Be forgotten, with both sockets open and watched as they are. See `rejoin`."""
        self.over = True
        self.client.lay_down()
        self.server.lay_down()
        del self._ended

    def end_idle(self) -> None:
        """Nothing has moved for too long. Where bytes are held that nobody takes, the end looks like what it is: a break."""
        self.idle = True
        who = SERVER_TIME if self.client.at_eof else CLIENT_TIME
        self.close(who + DATA, reset=self.client.held or self.server.held)

    def close(self, how: str, reset: bool) -> None:
        """End both; `how` is told by `core.termination`, and `reset` breaks the connections off."""
        if self.over:
            return
        self.over = True
        self.client.let_go(reset)
        self.server.let_go(reset)
        self._ended(how, self.client.moved, self.server.moved)


def join(
    client: RawSocket,
    server: RawSocket,
    preface: bytes,
    poller: Poller,
    pipes: Pipes,
    ended: Ended,
    reply: bytes = b"",
) -> Tunnel:
    """Join two connected sockets; `preface` goes to the server first, and `reply` to the client."""
    for sock in (client, server):
        sock.setblocking(False)  # splice(2) from a socket waits unless the socket itself is non-blocking
    tunnel = Tunnel(client, server, poller, pipes, ended)
    tunnel.client.start((0 if preface else READ) | (WRITE if reply else 0), preface)
    tunnel.server.start((0 if reply else READ) | (WRITE if preface else 0), reply)
    return tunnel


def rejoin(client: RawSocket, server: RawSocket, poller: Poller, pipes: Pipes, ended: Ended) -> Tunnel:
    """What `join` made of the two before they rested; bytes are counted anew."""
    tunnel = Tunnel(client, server, poller, pipes, ended)
    tunnel.client.wake()
    tunnel.server.wake()
    return tunnel
