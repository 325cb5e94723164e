"""One connection to a guarded site over a real socket, whose other end the test holds."""

import socket
from collections.abc import Callable
from typing import Any

from handoff_support import FakeReactor, tcp_pair
from svckit.lease import Lease, Ownership
from svckit.transport import AdoptedServer, address_of
from svckit.web import (
    GuardedChannel,
    GuardedSite,
)
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IPushProducer
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request
from zope.interface import implementer

PEER = address_of("203.0.113.7", 4711)
BIG = bytes(range(256)) * 20_000  # more than the kernel takes for a client that does not read
GET = b"GET /a/%s HTTP/1.1\r\nHost: x\r\n\r\n"


class HalfClosing(FakeReactor):
    """Tells of a client's end as Twisted's own reactors do: writing goes on."""

    def _call(self, selectable: Any, method: Callable[[], Any]) -> None:
        def read_or_write() -> Any:
            why = method()
            if method.__name__ == "doRead" and isinstance(why, ConnectionDone):
                self.removeReader(selectable)
                selectable.readConnectionLost(Failure(why))
                return None
            return why

        super()._call(selectable, read_or_write)


@implementer(IPushProducer)
class Producer:
    """Writes BIG in pieces, as the consumer takes them."""

    def __init__(self, request: Request) -> None:
        self.request, self.at, self.paused, self.writing = request, 0, False, False

    def resumeProducing(self) -> None:
        self.paused = False
        if self.writing:
            return
        self.writing = True
        while not self.paused and self.at < len(BIG):
            self.at += 50_000
            self.request.write(BIG[self.at - 50_000 : self.at])
        self.writing = False
        if not self.paused and self.request.producer is not None:
            self.request.unregisterProducer()
            self.request.finish()

    def pauseProducing(self) -> None:
        self.paused = True

    def stopProducing(self) -> None:
        self.paused = True


class Answers(Resource):
    """BIG for everything: at once, when the test says so (`slow`), or by a producer (`produced`)."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.slow: list[Request] = []

    def render(self, request: Request) -> bytes | int:
        if request.path == b"/a/slow":
            self.slow.append(request)
            return NOT_DONE_YET
        if request.path == b"/a/produced":
            request.setHeader(b"Content-Length", b"%d" % len(BIG))
            producer = Producer(request)
            request.registerProducer(producer, True)
            producer.resumeProducing()
            return NOT_DONE_YET
        return b"small" if request.path == b"/a/small" else BIG


class Table:
    """One connection, the client's end in the test's hand. The clock moves only when the test says so."""

    def __init__(self) -> None:
        self.reactor, self.root = HalfClosing(), Answers()
        self.site = site = GuardedSite(self.root, self.reactor, timeout=60)
        self.client, sock = tcp_pair()
        self.client.setblocking(False)
        channel = site.buildProtocol(PEER)
        assert isinstance(channel, GuardedChannel)
        self.channel = channel
        channel.lease = Lease(Ownership((("/a/", True),)), None)
        self.lost: list[AdoptedServer] = []
        self.transport = AdoptedServer(sock, channel, PEER, self.reactor, self.lost.append)  # type: ignore[arg-type]
        channel.makeConnection(self.transport)
        self.received = b""
        self.client_sees_end = False

    def send(self, data: bytes) -> None:
        assert self.client.send(data) == len(data)

    def end_side(self) -> None:
        self.client.shutdown(socket.SHUT_WR)

    def _read(self) -> bool:
        try:
            while not self.client_sees_end:
                piece = self.client.recv(1 << 20)
                self.received += piece
                self.client_sees_end = not piece
        except BlockingIOError:
            pass
        return self.client_sees_end

    def read_to_end(self) -> bytes:
        """All that comes until the service has ended its side."""
        self.reactor.until(self._read)
        return self.received

    def read(self, count: int) -> bytes:
        """All that has come as soon as it is so much."""
        self.reactor.until(lambda: self._read() or len(self.received) >= count)
        return self.received

    def closed(self) -> None:
        self.reactor.until(lambda: self.lost)


def count(answers: bytes) -> list[int]:
    """The sizes of the bodies, all of them whole."""
    sizes = []
    while answers:
        head, _, answers = answers.partition(b"\r\n\r\n")
        fields = dict(line.lower().split(b": ") for line in head.split(b"\r\n")[1:])
        size = int(fields[b"content-length"])
        assert len(answers) >= size
        assert answers[:size] in (BIG, b"small", b"late")
        sizes.append(size)
        answers = answers[size:]
    return sizes
