"""A site on a real connection, driven by hand: what the reactor would do is done when a test says so."""

import select
import socket
import time
from typing import Any

from svckit.lease import Lease, Ownership
from svckit.transport import AdoptedServer, address_of
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure

__all__ = ["BIG", "Wire"]

BIG = bytes(range(251)) * 8_400
"""A file of more than a turn of sending."""
PATIENCE = 20.0
"""Seconds for what takes none."""


class Wire:
    """One connection of a site, and its client."""

    def __init__(self, site: Any, patterns: tuple[tuple[str, bool], ...] | None = None, buffer: int = 0) -> None:
        """With `patterns` (see `Ownership`) the connection is on a lease; `buffer` makes the socket's small."""
        self.reactor = MemoryReactorClock()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.client = socket.socket()
            if buffer:
                self.client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
            self.client.connect(listener.getsockname())
            accepted, _ = listener.accept()
        if buffer:
            accepted.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer)
        accepted.setblocking(False)
        self.back: list[bytes] = []
        self.lost = 0
        self.channel = site.buildProtocol(None)
        self.channel.callLater = self.reactor.callLater
        if patterns is not None:
            self.ownership = Ownership(patterns)
            self.channel.lease = Lease(self.ownership, self.back.append)
        self.server = AdoptedServer(accepted, self.channel, address_of("127.0.0.1", 7), self.reactor, self._lost)  # type: ignore[arg-type]
        self.channel.makeConnection(self.server)
        self.server.replay(b"")

    def _lost(self, server: AdoptedServer) -> None:
        self.lost += 1

    def send(self, data: bytes) -> None:
        """As if it had arrived at once."""
        self.client.settimeout(PATIENCE)
        self.client.sendall(data)
        if self.server in self.reactor.readers:
            select.select([self.server.socket], [], [], PATIENCE)
        self._read_what_is_there()

    def get(self, target: str, *headers: str) -> None:
        self.send("\r\n".join([f"GET {target} HTTP/1.1", "Host: x", *headers, "", ""]).encode())

    def get_again(self, target: str) -> None:
        """Ask a second time, when the first answer is read: what is known of `target` by then is in memory."""
        self.get(target)
        self.answer()
        self.get(target)

    def bodies(self, target: str, times: int) -> list[bytes]:
        """What it gets when it asks so often."""
        got = []
        for _ in range(times):
            self.get(target)
            got.append(self.answer()[1])
        return got

    def answer(self) -> tuple[bytes, bytes]:
        """Head and body of the next answer; the site writes whenever it may."""
        got = b""
        while b"\r\n\r\n" not in got:
            got += self._receive(1)
        head = got[:-4]
        length = next((int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
        body = b""
        while len(body) < length:
            body += self._receive(length - len(body))
        while self.server in self.reactor.writers:  # what it does when all is out
            self._turn(self.server.doWrite())
        return head, body

    def _receive(self, count: int) -> bytes:
        self.client.setblocking(False)
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            self._read_what_is_there()
            if self.server in self.reactor.writers:
                self._turn(self.server.doWrite())
            try:
                data = self.client.recv(count)
            except BlockingIOError:
                continue
            assert data, "the connection has ended"
            return data
        raise AssertionError("nothing comes")

    def _read_what_is_there(self) -> None:
        while self.server in self.reactor.readers and self._readable():
            self._turn(self.server.doRead())

    def read_the_end(self) -> None:
        """As the reactor does when the client has ended its side."""
        assert self.server in self.reactor.readers
        self._turn(self.server.doRead())
        if self.server.connected and self.server in self.reactor.readers:
            self._turn(self.server.doRead())  # somebody else had read before

    def _turn(self, why: Any) -> None:
        if why is not None:
            self.server.connectionLost(Failure(why))

    def _readable(self) -> bool:
        try:
            return bool(self.server.socket.recv(1, socket.MSG_PEEK))
        except BlockingIOError:
            return False

    def close(self) -> None:
        self.client.close()
        if self.server.connected:
            self.server.abortConnection()
            self.reactor.advance(0)
