"""The uploads service in memory: a site over a folder, and connections of clients to it."""

from pathlib import Path
from select import select
from typing import Any

from svckit.settings import Settings
from twisted.internet.defer import maybeDeferred
from twisted.internet.protocol import connectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from uploadsvc.service import make_site

__all__ = ["Service"]

Answer = tuple[int, dict[str, str], bytes]


class Transport(StringTransport):
    """A StringTransport that can close its own side."""

    half_closed = False

    def loseWriteConnection(self) -> None:
        self.half_closed = True


class Reactor(Clock):
    """A clock that also knows who waits for a descriptor; `look` calls those that have something to read."""

    def __init__(self) -> None:
        super().__init__()
        self.readers: list[Any] = []

    def addReader(self, reader: Any) -> None:
        self.readers.append(reader)

    def removeReader(self, reader: Any) -> None:
        self.readers.remove(reader)

    def look(self) -> None:
        for reader in select(self.readers, [], [], 0)[0]:
            reader.doRead()


class Connection:
    """One connection of a client to the service."""

    def __init__(self, site: Any, clock: Clock) -> None:
        self.clock, self.transport = clock, Transport()
        self.channel = site.buildProtocol(None)
        self.channel.makeConnection(self.transport)
        self.open = True

    def send(self, data: bytes) -> None:
        self.channel.dataReceived(data)
        self.clock.advance(0)

    def lose(self) -> None:
        if self.open:
            self.open = False
            self.channel.connectionLost(connectionDone)

    def answers(self) -> list[Answer]:
        """All that has come so far; each answer must have its length."""
        rest, found = self.transport.value(), []
        while rest:
            head, _, rest = rest.partition(b"\r\n\r\n")
            first, *lines = head.decode("latin-1").split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
            length = int(headers.get("content-length", "0"))
            found.append((int(first.split(" ")[1]), headers, rest[:length]))
            rest = rest[length:]
        return found

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        """One exchange on the connection."""
        self.transport.clear()
        lines = [f"{method} {path} HTTP/1.1", "Host: x"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        if body is not None and "Transfer_Encoding" not in headers:
            lines.append(f"Content-Length: {len(body)}")
        head = "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape")
        self.send(head + (body or b""))
        (answer,) = self.answers()
        return answer


class Service:
    """A service over a folder, and its connections."""

    def __init__(self, root: Path, run: Any = maybeDeferred, **options: object) -> None:
        self.root, self.clock = root, Reactor()
        options = {"root": str(root), "writes": "anyone", **options}
        settings = Settings(service="uploads", replica="r1", state=root.parent, options=options)
        self.site = make_site(settings, self.clock, run)  # type: ignore[arg-type]
        self.connections: list[Connection] = []

    def connect(self) -> Connection:
        self.connections.append(Connection(self.site, self.clock))
        return self.connections[-1]

    def files(self) -> dict[str, bytes]:
        """All below the root, the hidden ones too."""
        return {str(p.relative_to(self.root)): p.read_bytes() for p in self.root.rglob("*") if p.is_file()}

    def finals(self) -> dict[str, bytes]:
        """What is published."""
        return {name: data for name, data in self.files().items() if not name.startswith(".")}

    def end(self) -> None:
        for connection in self.connections:
            connection.lose()
        for call in self.clock.getDelayedCalls():
            call.cancel()
