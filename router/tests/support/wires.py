"""Real sockets and small stand-ins that the tests share."""

import contextlib
import os
import socket
import struct
from collections.abc import Callable
from http.client import HTTPResponse
from io import StringIO
from pathlib import Path
from typing import cast

import msgspec
from portico.accesslog import AccessLog
from portico.arrival import Address, Arrival, RawSocket
from portico.core.answers import Answer
from portico.core.head import read_head
from portico.core.preface import Preface
from portico.core.rule import Rule
from portico.core.table import RouteTable
from portico.patience import Patience
from portico.places import Places
from portico.targets.resolver import Resolver
from svckit.reactors import Reactor
from twisted.internet.task import Clock

from .reactor import HandReactor

LISTENER: Address = ("127.0.0.1", 8080)


def as_reactor(reactor: Clock) -> Reactor:
    """A clock and what else of a reactor the test needs, as the type that Portico names."""
    return cast(Reactor, reactor)


def tcp_pair() -> tuple[socket.socket, RawSocket]:
    """A connected TCP pair: the client's socket, and the accepted one as the router has it."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        client = socket.create_connection(listener.getsockname(), timeout=5)
        accepted, _ = listener.accept()
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client, raw(accepted)


def inline_resolver(reactor: Reactor) -> Resolver:
    """Asks for names at once, without threads."""
    return Resolver(reactor, lambda call: call())


def raw(sock: socket.socket) -> RawSocket:
    """The C socket of the same descriptor."""
    return RawSocket(socket.AF_INET, socket.SOCK_STREAM, 0, sock.detach())


def reset(sock: socket.socket) -> None:
    """Close with RST."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def arrive(
    preface: bytes = b"", since: float = 0.0, returned: bool = False, places: Places | None = None
) -> tuple[socket.socket, Arrival]:
    """A client and its connection in the router's hands, with the head read if `preface` holds one.

    With `places` it counts there, as all do that come from a listener.
    """
    client, ours = tcp_pair()
    sock = ours if places is None else places.hold(ours.detach())
    arrival = Arrival(sock, client.getsockname(), LISTENER, since, preface, returned)
    if places is not None:
        places.admit(arrival)
    arrival.head = read_head(preface)
    return client, arrival


class Inbox:
    """All that a client has got; reads without waiting."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.sock = sock
        self.data = b""
        self.ended = False
        self.reset = False

    def read(self) -> bytes:
        """Take what is there."""
        while not self.ended:
            try:
                piece = self.sock.recv(1 << 20)
            except BlockingIOError:
                break
            except ConnectionResetError:
                self.reset = self.ended = True
                break
            self.ended = not piece
            self.data += piece
        return self.data

    def has_ended(self) -> bool:
        """Whether the other side has closed; all it sent is in `data`."""
        self.read()
        return self.ended

    def holds(self, text: bytes) -> Callable[[], bool]:
        """A condition for `HandReactor.until`."""
        return lambda: text in self.read()


class _Bytes:
    """Just enough of a socket for http.client."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, mode: str) -> object:
        import io

        return io.BytesIO(self._data)


def parse_response(wire: bytes) -> tuple[HTTPResponse, bytes]:
    """One whole HTTP response, as the standard library reads it."""
    response = HTTPResponse(cast(socket.socket, _Bytes(wire)))
    response.begin()
    return response, response.read()


class Answers:
    """Stands where the router answers clients: remembers, and closes."""

    def __init__(self) -> None:
        self.given: list[tuple[Arrival, Answer]] = []
        self.decisions: list[Arrival] = []
        self.table = RouteTable([Rule("everything", pattern="/")])

    def answer(self, arrival: Arrival, answer: Answer) -> None:
        self.given.append((arrival, answer))
        arrival.close()

    def decide(self, preface: Preface) -> object:
        return self.table.decide(preface)

    def decided(self, arrival: Arrival, rule: Rule[str]) -> None:
        self.decisions.append(arrival)

    @property
    def kinds(self) -> list[Answer]:
        """The answers alone."""
        return [answer for _, answer in self.given]


def wait(patience: Patience, arrival: Arrival) -> None:
    """As the router lets a connection wait."""
    limit = patience.limits.head_size
    patience.wait(arrival, Preface(arrival.preface, arrival.client, limit=limit, returned=arrival.returned))


class Logged:
    """An access log and what it has written."""

    def __init__(self, reactor: HandReactor) -> None:
        self.stream = StringIO()
        self.log = AccessLog(as_reactor(reactor), self.stream)

    @property
    def lines(self) -> list[dict[str, object]]:
        """All lines so far."""
        self.log.flush()
        return [msgspec.json.decode(line, type=dict[str, object]) for line in self.stream.getvalue().splitlines()]


def descriptors_of(descriptor: int) -> list[int]:
    """Those that this process has of the same file; what others open and close meanwhile does not matter."""
    which = os.readlink(f"/proc/self/fd/{descriptor}")
    found: list[int] = []
    for each in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # it was that of the folder
            if os.readlink(each) == which:
                found.append(int(each.name))
    return found


def nobody() -> tuple[str, int]:
    """An address that refuses."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        host, port = sock.getsockname()
        return host, port
