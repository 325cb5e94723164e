"""A replica's end of one link, for Twisted. What it does is in `svckit.handoff.linkend`."""

import socket
from collections.abc import Callable

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..reactors import Reactor
from .codec import Address, Tls, encode_connection
from .edge import Owner
from .linkend import LinkEnd

__all__ = ["Link", "Returned"]


class Returned:
    """A connection on its way back to a router."""

    __slots__ = ("client", "listener", "seal", "sock", "tls", "unread")

    def __init__(
        self,
        sock: socket.socket,
        client: Address,
        listener: Address,
        unread: bytes,
        tls: Tls | None = None,
        seal: bytes = b"",
    ) -> None:
        self.sock, self.client, self.listener, self.unread, self.tls = sock, client, listener, unread, tls
        self.seal = seal

    def packet(self, number: int) -> bytes:
        """What the router is told of it, under this number: a CONNECTION."""
        return encode_connection(number, self.client, self.listener, self.unread, self.tls, self.seal)


class Link(LinkEnd[Returned]):
    """One SOCK_SEQPACKET connection from a router; a descriptor of the Twisted reactor."""

    log = Logger()

    def __init__(self, sock: socket.socket, owner: "Owner[Link, Returned]", reactor: Reactor) -> None:
        self._reactor = reactor
        super().__init__(sock, owner)

    # -- for the reactor

    def fileno(self) -> int:
        """-1 once ended."""
        return self._sock.fileno()

    def logPrefix(self) -> str:
        return "handoff"

    def doRead(self) -> None:
        self._read()

    def doWrite(self) -> None:
        self._writable()

    def connectionLost(self, reason: Failure) -> None:
        self.end()

    def shut(self) -> None:
        """End the link from our side, in good order."""
        self.connectionLost(Failure(ConnectionDone()))

    # -- the reactor

    def _now(self) -> float:
        return self._reactor.seconds()

    def _later(self, delay: float, call: Callable[[], None]) -> IDelayedCall:
        return self._reactor.callLater(delay, call)

    def _start_reading(self) -> None:
        self._reactor.addReader(self)  # type: ignore[arg-type]

    def _stop_reading(self) -> None:
        self._reactor.removeReader(self)  # type: ignore[arg-type]

    def _start_writing(self) -> None:
        self._reactor.addWriter(self)  # type: ignore[arg-type]

    def _stop_writing(self) -> None:
        self._reactor.removeWriter(self)  # type: ignore[arg-type]

    def _error(self, text: str, **values: object) -> None:
        self.log.error(text, **values)

    def _warn(self, text: str) -> None:
        self.log.warn(text)
