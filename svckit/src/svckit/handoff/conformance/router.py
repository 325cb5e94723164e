"""The router's side of a link, played step by step. Blocking, every wait bounded."""

import array
import itertools
import os
import select
import socket
import time
from pathlib import Path
from typing import TypeVar

from .. import packets
from ..cell import Cell
from ..codec import VERSION, Address, Connection, Hello, Malformed, Message, Taken, Tls, Welcome, decode, encode, encode_routes
from .broken import Broken
from .client import Client

__all__ = ["ELSEWHERE", "LISTENER", "PlayedRouter"]

LISTENER: Address = ("192.0.2.1", 8080)
ELSEWHERE = "/portico-check-elsewhere/"
"""A prefix that the routes give to another service."""

M = TypeVar("M", bound=Message)


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

    def hand(self, client: Client, unread: bytes, tls: Tls | None = None, seal: bytes = b"") -> int:
        """Hand a connection over; our copy of the descriptor stays open. Returns its number."""
        self.number += 1
        self.say(Connection(self.number, client.address, LISTENER, unread, tls, seal), client.accepted.fileno())
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

    def back(self, client: Client) -> tuple[Connection, socket.socket]:
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
