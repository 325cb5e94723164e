"""Adopts connections over real sockets, for protocols of several kinds."""

import socket
from collections.abc import Callable
from typing import Any

from handoff_support import FakeReactor, Recorder, Recorders, tcp_pair
from svckit.lease import Lease, Ownership
from svckit.transport import AdoptedServer, address_of, adopt

PEER = address_of("203.0.113.7", 4711)


class Adopter:
    """A connected pair and all that `adopt` wants."""

    def __init__(self) -> None:
        self.reactor, self.factory = FakeReactor(), Recorders()
        self.client, self.sock = tcp_pair()
        self.lost: list[AdoptedServer] = []
        self.made: list[AdoptedServer] = []
        self.released: list[socket.socket] = []
        self.lease = Lease(Ownership(), None)

    def adopt(self, preface: bytes = b"", build: Callable[[], Any] = Recorder) -> Any:
        def build_protocol(addr: object) -> Any:
            made = build()
            self.factory.made.append(made)
            return made

        self.factory.buildProtocol = build_protocol  # type: ignore[method-assign]
        return adopt(
            self.sock,
            self.factory,
            PEER,
            preface,
            self.reactor,  # type: ignore[arg-type]
            lambda transport: self.lease,
            self.lost.append,
            self.made.append,
        )

    @property
    def protocol(self) -> Any:
        return self.factory.made[0]

    def end_of_client(self) -> bytes:
        """What the client still reads until its end."""
        received = b""
        while more := self.client.recv(1 << 20):
            received += more
        return received
