"""A replica's end of a link, with its owner and the router played by hand."""

import socket
from collections.abc import Callable

from handoff_support import CLIENT, LISTENER, FakeReactor, PlayedRouter, link_pair
from svckit.handoff.codec import Connection, Hello
from svckit.handoff.link import Link, Returned

HELLO = Hello(1, 100, "static", "a-1")


class Owner:
    """Writes down what the link tells."""

    def __init__(self) -> None:
        self.adopted: list[tuple[int, bytes]] = []
        self.sockets: list[socket.socket] = []
        self.told: list[str] = []
        self.patterns: tuple[tuple[str, bool], ...] | None = None
        self.given_back: list[Returned] = []
        self.on_adopt: Callable[[int], None] = lambda number: None

    def hello(self) -> Hello:
        return HELLO

    def load(self) -> int:
        return len(self.adopted)

    def adopt(self, connection: Connection, descriptor: int, link: Link) -> None:
        assert (connection.client, connection.listener) == (CLIENT, LISTENER)
        self.adopted.append((connection.number, connection.unread))
        self.sockets.append(socket.socket(fileno=descriptor))
        self.on_adopt(connection.number)

    def routes(self, patterns: tuple[tuple[str, bool], ...]) -> None:
        if any(pattern == "wrong" for pattern, _ in patterns):
            raise ValueError("not a pattern")
        self.patterns = patterns

    def welcomed(self, link: Link) -> None:
        self.told.append("welcomed")

    def farewell(self, link: Link) -> None:
        self.told.append("farewell")

    def ended(self, link: Link, returned: list[Returned]) -> None:
        self.told.append("ended")
        self.given_back += returned


class Table:
    """A link, its two sides, and connections to hand over."""

    def __init__(self) -> None:
        theirs, ours = link_pair()
        self.reactor, self.owner, self.router = FakeReactor(), Owner(), PlayedRouter(theirs)
        self.link = Link(ours, self.owner, self.reactor)  # type: ignore[arg-type]
        self.client, self.connection = socket.socketpair()
        self.client.setblocking(False)

    def back(self, unread: bytes = b"") -> Returned:
        return Returned(self.connection.dup(), CLIENT, LISTENER, unread)

    def fill(self) -> None:
        """The router reads nothing: say things until there is no room for one more."""
        while not self.link._unsent:
            self.link.say_load()

    def cut(self) -> bool:
        """Whether the client's connection is over, for whoever has a descriptor of it."""
        try:
            return self.client.recv(1) == b""
        except BlockingIOError:
            return False

    def clear(self) -> None:
        self.link.end()
        for sock in (self.client, self.connection, *self.owner.sockets, *(each.sock for each in self.owner.given_back)):
            sock.close()
        self.router.die()
