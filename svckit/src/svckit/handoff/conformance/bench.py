"""What the rules are tried with: routers and clients, played step by step. Blocking, every wait bounded."""

import array
import contextlib
import itertools
import os
import select
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from .. import packets
from ..cell import Cell
from ..codec import VERSION, Address, Connection, Hello, Malformed, Message, Taken, Tls, Welcome, decode, encode, encode_routes

__all__ = ["ELSEWHERE", "LISTENER", "Bench", "Broken", "Client", "PlayedRouter"]

LISTENER: Address = ("192.0.2.1", 8080)
ELSEWHERE = "/portico-check-elsewhere/"
"""A prefix that the routes give to another service."""

M = TypeVar("M", bound=Message)


class Broken(AssertionError):
    """The replica breaks the rule; the text says how."""


class PlayedRouter:
    """One link, from the router's side. It does only what a rule says."""

    def __init__(self, path: Path, patience: float) -> None:
        self.patience = patience
        self.link = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.link.settimeout(patience)
        self.cell = Cell()
        self.number = 0
        """Of the last connection that was handed over."""
        self._numbers = itertools.count(1)
        self.ended = False
        self.returned: list[socket.socket] = []
        """Sockets that came with hand-backs, oldest first."""
        try:
            self.link.connect(str(path))
        except OSError as error:
            self.close()
            raise Broken(f"nobody answers at {path}: {error}") from None
        self.link.setblocking(False)

    # -- saying

    def say(self, message: Message, *descriptors: int) -> None:
        self.say_bytes(encode(message), *descriptors)

    def say_bytes(self, packet: bytes, *descriptors: int) -> None:
        """A packet as it is, with as many descriptors as a rule wants."""
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
        end = time.monotonic() + self.patience
        while True:
            try:
                self.link.sendmsg([packet], rights)
                return
            except BlockingIOError:
                if time.monotonic() > end:
                    raise Broken("the replica does not read its link") from None
                select.select([], [self.link], [], 0.1)
            except OSError as error:
                raise Broken(f"the replica has ended the link: {error}") from None

    def welcome(self, *patterns: tuple[str, bool]) -> None:
        """WELCOME and the routes, as a router says them after HELLO."""
        self.hear(Hello)
        self.say(Welcome(VERSION), self.cell.descriptor)
        self.tell(*(patterns or (("/", True), (ELSEWHERE, False))))

    def tell(self, *patterns: tuple[str, bool]) -> None:
        for packet in encode_routes(patterns):
            self.say_bytes(packet)

    def hand(self, client: "Client", unread: bytes, tls: Tls | None = None) -> int:
        """Hand a connection over; our copy of the descriptor stays open. Returns its number."""
        self.number += 1
        self.say(Connection(self.number, client.address, LISTENER, unread, tls), client.accepted.fileno())
        return self.number

    # -- hearing

    def hear_any(self, seconds: float) -> Message | None:
        """The next message; None if there is none in that time, or none any more."""
        end = time.monotonic() + seconds
        while True:
            try:
                packet, descriptor = packets.receive(self.link)
            except ConnectionResetError:
                continue
            except Malformed as error:
                raise Broken(f"it sent what is no message: {error}") from None
            except BlockingIOError:
                left = end - time.monotonic()
                if left <= 0:
                    return None
                select.select([self.link], [], [], left)
                continue
            except OSError:
                packet, descriptor = b"", None
            if not packet:
                self.ended = True
                return None
            try:
                message = decode(packet)
            except Malformed as error:
                if descriptor is not None:
                    os.close(descriptor)
                raise Broken(f"it sent what is no message: {error}") from None
            if isinstance(message, Connection) and descriptor is None:
                raise Broken("it handed a connection back without its descriptor")
            if descriptor is not None:
                self.returned.append(socket.socket(fileno=descriptor))
            if isinstance(message, Connection) and message.number != (number := next(self._numbers)):
                raise Broken(f"the number of a hand-back is {message.number} where {number} is next")
            return message

    def hear(self, kind: type[M], seconds: float | None = None) -> M:
        """The next message of that kind; others before it are passed over."""
        end = time.monotonic() + (self.patience if seconds is None else seconds)
        while (left := end - time.monotonic()) > 0:
            message = self.hear_any(left)
            if isinstance(message, kind):
                return message
            if message is None:
                break
        raise Broken(f"no {kind.__name__.upper()} came")

    def hear_taken(self, number: int) -> None:
        """Until everything up to `number` is taken."""
        while (taken := self.hear(Taken).number) < number:
            pass
        if taken > number:
            raise Broken(f"TAKEN up to {taken}, and only {number} were sent")

    def back(self, client: "Client") -> tuple[Connection, socket.socket]:
        """The connection of `client` that is handed back, and its socket; not taken yet. Others are taken and let go of."""
        while (message := self.hear(Connection)).client != client.address:
            self.say(Taken(message.number, 0))
            self.returned.pop().close()
        return message, self.returned.pop()

    def expect_end(self) -> None:
        """The replica ends the link; what it hands back before is taken."""
        end = time.monotonic() + self.patience
        while (left := end - time.monotonic()) > 0:
            said = self.hear_any(left)
            if isinstance(said, Connection):
                self.say(Taken(said.number, 0))
            elif said is None and self.ended:
                return
        raise Broken("it does not end the link")

    def close(self) -> None:
        """As a router that dies: everything at once."""
        self.link.close()
        self.cell.close()
        while self.returned:
            self.returned.pop().close()


@dataclass
class Client:
    """A client's end of a connection, and the router's copy of the accepted one."""

    sock: socket.socket
    accepted: socket.socket
    address: Address
    """What the replica is told of it; no two have the same."""
    patience: float
    path: str
    _unread: bytes = b""

    def request(self, path: str | None = None) -> bytes:
        return f"GET {path or self.path} HTTP/1.1\r\nHost: portico.check\r\n\r\n".encode()

    def send(self, data: bytes) -> None:
        try:
            self.sock.sendall(data)
        except OSError as error:
            raise Broken(f"the client's connection is gone: {error}") from None

    def expect_answer(self, to: str = "a request") -> int:
        """A whole response; its status."""
        try:
            while (head := self._until(b"\r\n\r\n")).startswith(b"HTTP/1.1 1"):
                pass
            fields = dict(line.lower().split(b":", 1) for line in head.split(b"\r\n")[1:-2])
            if b"chunked" in fields.get(b"transfer-encoding", b""):
                while size := int(self._until(b"\r\n"), 16):
                    self._exactly(size + 2)
                self._until(b"\r\n")
            else:
                self._exactly(int(fields[b"content-length"]))
            return int(head.split(b" ")[1])
        except (OSError, ValueError, KeyError, IndexError) as error:
            raise Broken(f"no answer to {to}: {type(error).__name__} {error}".rstrip()) from None

    def _more(self) -> None:
        piece = self.sock.recv(65_536)
        if not piece:
            raise ConnectionError("the connection has ended")
        self._unread += piece

    def _until(self, mark: bytes) -> bytes:
        while mark not in self._unread:
            self._more()
        found, mark, self._unread = self._unread.partition(mark)
        return found + mark

    def _exactly(self, size: int) -> None:
        while len(self._unread) < size:
            self._more()
        self._unread = self._unread[size:]

    def ask(self, path: str | None = None) -> int:
        self.send(self.request(path))
        return self.expect_answer()

    def readable(self, seconds: float) -> bool:
        return bool(self._unread or select.select([self.sock], [], [], seconds)[0])

    def expect_nothing(self, seconds: float, meaning: str) -> None:
        if self.readable(seconds):
            raise Broken(meaning)

    def expect_end(self, meaning: str) -> None:
        """End of file, and nothing before it."""
        try:
            if self.sock.recv(1) == b"":
                return
        except ConnectionResetError:
            return
        except TimeoutError:
            pass
        raise Broken(meaning)

    def expect_alive(self, other_end: socket.socket) -> None:
        """Bytes go both ways between the client and whoever holds that socket: nobody has shut the connection down."""
        other_end.settimeout(self.patience)
        try:
            for sender, receiver in ((other_end, self.sock), (self.sock, other_end)):
                sender.sendall(b"portico")
                received = b""
                while len(received) < 7 and (piece := receiver.recv(7 - len(received))):
                    received += piece
                if received != b"portico":
                    raise Broken(f"{received!r} came through the connection instead of what was sent")
        except OSError as error:
            raise Broken(f"the connection is not whole any more: {error}") from None


@dataclass
class Bench:
    """The replica under trial; closes what a rule has opened."""

    socket: Path
    path: str = "/"
    """Of the service behind it: `GET path` is answered."""
    stop: Callable[[], None] | None = None
    """Tells it to drain."""
    patience: float = 5.0
    """Seconds until what must happen counts as not happening."""
    _open: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _ports: Iterator[int] = field(default_factory=lambda: itertools.cycle(range(50_000, 60_000)))

    @contextmanager
    def one_rule(self) -> Iterator[None]:
        """Everything that is opened meanwhile is closed."""
        with contextlib.ExitStack() as self._open:
            yield

    def router(self, welcome: bool = True) -> PlayedRouter:
        """A new link, welcomed or not."""
        made = PlayedRouter(self.socket, self.patience)
        self._open.callback(made.close)
        if welcome:
            made.welcome()
        return made

    def client(self) -> Client:
        """A new connection that nobody has been handed yet."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            ours = socket.create_connection(listener.getsockname())
            accepted, _ = listener.accept()
        ours.settimeout(self.patience)
        self._open.callback(ours.close)
        self._open.callback(accepted.close)
        return Client(ours, accepted, ("192.0.2.7", next(self._ports)), self.patience, self.path)

    def served(self, router: PlayedRouter, client: Client | None = None) -> Client:
        """A connection that is taken, has had one answer, and is the replica's alone."""
        client = client or self.client()
        number = router.hand(client, client.request())
        router.hear_taken(number)
        client.accepted.close()
        client.expect_answer("the first request")
        return client

    def pipe(self) -> tuple[int, int]:
        """Its reading end sees the end of file when nobody has the writing end any more."""
        reading, writing = os.pipe()
        self._open.callback(os.close, reading)
        return reading, writing
