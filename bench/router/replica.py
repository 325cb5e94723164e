"""The backend as a handoff replica: `svckit`'s own end of a link, with its custody, in the backend's loop."""

import contextlib
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

from svckit.handoff.aio.accepted import Returned
from svckit.handoff.codec import VERSION, Hello
from svckit.handoff.codec import Connection as Told
from svckit.handoff.given import socket_of
from svckit.handoff.linkend import LinkEnd
from svckit.handoff.socketfile import bind

from .loop import IN, OUT, Loop, Timer
from .serving import Connection, Service

__all__ = ["Replica"]

LOAD_DELAY = 0.05
"""Seconds, as in `svckit`: changes of the load within it are told together."""
CAPACITY = 30_000


class Link(LinkEnd[Returned]):
    """One router."""

    def __init__(self, sock: socket.socket, replica: "Replica", loop: Loop) -> None:
        self._loop = loop
        super().__init__(sock, replica)

    def _now(self) -> float:
        return time.monotonic()

    def _later(self, delay: float, call: Callable[[], None]) -> Timer:
        return self._loop.later(delay, call)

    def _start_reading(self) -> None:
        self._loop.add(self._sock.fileno(), self._ready)

    def _stop_reading(self) -> None:
        self._loop.remove(self._sock.fileno())

    def _start_writing(self) -> None:
        self._loop.change(self._sock.fileno(), IN | OUT)

    def _stop_writing(self) -> None:
        with contextlib.suppress(OSError):  # not watched any more
            self._loop.change(self._sock.fileno(), IN)

    def _ready(self, events: int) -> None:
        if events & OUT:
            self._writable()
        if events & ~OUT and not self.ended:
            self._read()

    def _error(self, text: str, **values: object) -> None:
        print(text.format(**values), file=sys.stderr, flush=True)

    _warn = _error


class Replica:
    """One socket file, and how many connections came through it."""

    def __init__(self, folder: Path, name: str, service: Service) -> None:
        self._service, self._name, self._loop = service, name, service.loop
        self._links: list[Link] = []
        self._told: dict[Connection, tuple[Told, Link]] = {}
        self._report: Timer | None = None
        listener = bind(folder / f"{name}.sock")
        listener.setblocking(False)
        self._listener = listener
        self._loop.add(listener.fileno(), self._accept)

    def _accept(self, _: int) -> None:
        sock, _address = self._listener.accept()
        self._links.append(Link(sock, self, self._loop))

    def hello(self) -> Hello:
        return Hello(VERSION, CAPACITY, self._service.name, self._name)

    def load(self) -> int:
        return len(self._told)

    def routes(self, patterns: tuple[tuple[str, bool], ...]) -> None:
        self._service.told(patterns)

    def adopt(self, connection: Told, descriptor: int, link: Link) -> None:
        sock = socket_of(connection, descriptor)
        try:
            made = Connection(sock, self._service, self._ended, self._back)
        except OSError:  # the client has reset it
            sock.close()
            return
        self._told[made] = (connection._replace(unread=b""), link)
        made.begin(connection.unread)

    def welcomed(self, link: Link) -> None:
        """Nothing waits for a router here."""

    def farewell(self, link: Link) -> None:
        """The router ends; the links end with it."""

    def ended(self, link: Link, returned: list[Returned]) -> None:
        self._links.remove(link)
        for each in returned:
            each.sock.close()  # one router: with it the run is over

    def _ended(self, connection: Connection) -> None:
        del self._told[connection]
        self._fewer()

    def _back(self, connection: Connection, unread: bytes) -> None:
        told, link = self._told.pop(connection)
        self._fewer()
        if link.ended:
            connection.sock.close()
        else:
            link.hand_back(Returned(connection.sock, told, unread))

    def _fewer(self) -> None:
        if self._report is None:
            self._report = self._loop.later(LOAD_DELAY, self._tell)

    def _tell(self) -> None:
        self._report = None
        for link in self._links:
            link.say_load()

    def close(self) -> None:
        """Take the file away."""
        with contextlib.suppress(OSError):
            Path(self._listener.getsockname()).unlink()
