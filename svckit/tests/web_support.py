"""A guarded site in memory, one connection to it, and requests."""

from collections.abc import Iterable
from typing import Any

import pytest
from svckit.lease import Lease, Ownership
from svckit.web import GuardedChannel, GuardedSite
from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

OURS = (("/a/", True), ("/b/", False), ("/a/inner/", False))


class Everything(Resource):
    """Answers with the path and the body that it sees; `/a/slow` when the test says so."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[bytes, bytes, bytes]] = []
        self.slow: list[Request] = []

    def render(self, request: Request) -> bytes | int:
        assert request.content is not None
        body = request.content.read()
        self.seen.append((request.method, request.path, body))
        if request.path.startswith(b"/a/slow"):
            self.slow.append(request)
            return NOT_DONE_YET
        if request.path == b"/a/who":
            request.user = b"j\xc3\xb6rg"
        return b"<" + request.path + b">"


class Table:
    """One connection to a guarded site."""

    def __init__(self, returnable: bool = True, leased: bool = True, **options: Any) -> None:
        self.clock, self.root, self.ownership = Clock(), Everything(), Ownership(OURS)
        self.site = GuardedSite(self.root, self.clock, **options)
        self.site.startFactory()
        peer = IPv4Address("TCP", "203.0.113.7", 4711)
        self.transport = StringTransport(peerAddress=peer)
        self.handed_back: list[bytes] = []
        self.later = b""  # what the socket still holds when the connection goes back
        channel = self.site.buildProtocol(peer)
        assert isinstance(channel, GuardedChannel)
        self.channel = channel
        if leased:
            self.channel.lease = Lease(self.ownership, self.handed_back.append if returnable else None)
        self.channel.makeConnection(self.transport)

    def feed(self, pieces: Iterable[bytes]) -> "Table":
        """Deliver, as long as the connection is the channel's."""
        for piece in pieces:
            if self.handed_back or self.transport.disconnecting:
                self.later += piece
            else:
                self.channel.dataReceived(piece)
        return self

    @property
    def answers(self) -> list[tuple[int, bytes]]:
        """Status and body of each answer so far."""
        found, rest = [], self.transport.value()
        while rest:
            head, _, rest = rest.partition(b"\r\n\r\n")
            lines = head.lower().split(b"\r\n")
            body = b""
            for line in lines:
                if line.startswith(b"content-length: "):
                    length = int(line.split(b" ")[1])
                    body, rest = rest[:length], rest[length:]
                if line == b"transfer-encoding: chunked":
                    size, _, rest = rest.partition(b"\r\n")
                    body, rest = rest[: int(size, 16)], rest[int(size, 16) + 2 :].removeprefix(b"0\r\n\r\n")
            found.append((int(lines[0].split(b" ")[1]), body))
        return found

    @property
    def paths(self) -> list[bytes]:
        return [path for _, path, _ in self.root.seen]


def get(path: str, *headers: str, version: str = "1.1") -> bytes:
    return "\r\n".join([f"GET {path} HTTP/{version}", "Host: example.org", *headers, "", ""]).encode()


def put(path: str, body: bytes) -> bytes:
    return f"PUT {path} HTTP/1.1\r\nHost: example.org\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def put_chunked(path: str, *chunks: bytes) -> bytes:
    head = f"PUT {path} HTTP/1.1\r\nHost: example.org\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    return head + b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in (*chunks, b""))


def whole(data: bytes) -> list[bytes]:
    return [data]


def byte_by_byte(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


def in_sevens(data: bytes) -> list[bytes]:
    return [data[at : at + 7] for at in range(0, len(data), 7)]


pieces = pytest.mark.parametrize("cut", [whole, byte_by_byte, in_sevens])
