"""The backend's services as Twisted protocols, for the router's own process. As they share it, what they cost is the router's.

They keep their connection to its end, like a WebSocket, and hand nothing back.
"""

import zlib
from typing import Any

from svckit.reactors import Reactor
from svckit.settings import Settings
from twisted.internet.interfaces import IPullProducer
from twisted.internet.protocol import Factory, Protocol
from zope.interface import implementer

from .replies import FILE, Reply, head_end, piece, reply, uploaded

__all__ = ["Answering", "Large", "make_factory"]

_file = b"".join(piece(at) for at in range(0, FILE, 4096))
_PIECE = 1 << 18


class Answering(Protocol):
    """What `bench.router.serving` does, by way of a transport."""

    transport: Any  # ITCPTransport and IConsumer in one

    def __init__(self, service: str, known: dict[bytes, Reply]) -> None:
        self._service, self._known = service, known
        self._unread = b""
        self._left = self._size = 0
        self._total: int | None = None  # the CRC-32 of a body, where it is asked for
        self._echo = self._close = self._sends = False

    def connectionMade(self) -> None:
        self.transport.setTcpNoDelay(True)

    def dataReceived(self, data: bytes) -> None:
        if self._echo:
            self.transport.write(data)
        elif self._left:
            self._body(data)
        else:
            self._unread += data
            self._serve()

    def _serve(self) -> None:
        while self._unread and not (self._left or self._sends):
            end = head_end(self._unread)
            if not end:
                return
            head, self._unread = self._unread[:end], self._unread[end:]
            found = self._known.get(head)
            if found is None:
                found = self._known[head] = reply(self._service, head)
            self._close, self._echo = found.close, found.echo
            if found.upload:
                self._left = self._size = found.upload
                self._total = 0 if found.summed else None
                data, self._unread = self._unread, b""
                self._body(data)
                return
            self.transport.write(found.head)
            if found.big:
                self._sends = True
                Large(self, found.big)
                return
            self._answered()

    def _body(self, data: bytes) -> None:
        taken = min(len(data), self._left)
        self._left -= taken
        if self._total is not None:
            self._total = zlib.crc32(data[:taken], self._total)
        if not self._left:
            self.transport.write(uploaded(self._size, self._close, self._total))
            self._unread = data[taken:]
            self._answered()
            self._serve()

    def sent(self) -> None:
        """The large file is out."""
        self._sends = False
        self._answered()
        self._serve()

    def _answered(self) -> None:
        if self._close:
            self.transport.loseConnection()


@implementer(IPullProducer)
class Large:
    """Sends so much of the large file as the transport takes."""

    def __init__(self, protocol: Answering, left: int) -> None:
        self._protocol, self._left, self._at = protocol, left, 0
        protocol.transport.registerProducer(self, False)

    def resumeProducing(self) -> None:
        data = _file[self._at : self._at + min(_PIECE, self._left)]
        self._left -= len(data)
        self._at = (self._at + len(data)) % FILE
        self._protocol.transport.write(data)
        if not self._left:
            self._protocol.transport.unregisterProducer()
            self._protocol.sent()

    def stopProducing(self) -> None:
        """The connection is lost."""
        self._left = 0


def make_factory(settings: Settings, reactor: Reactor) -> Factory:
    """The service of the bench that `bench-` stands before in the name."""
    known: dict[bytes, Reply] = {}
    service = settings.service.removeprefix("bench-")

    class Answers(Factory):
        noisy = False

        def buildProtocol(self, addr: object) -> Answering:
            made = Answering(service, known)
            made.factory = self
            return made

    return Answers()
