"""Connections that have had an answer and say nothing, and all the ways in which such a one may go on or end."""

import contextlib
import random
import socket
import struct
from collections.abc import Callable

from .server import SWITCHED, Server, answer_to

__all__ = ["KINDS", "Idle", "Wrong"]

KINDS = ("split", "pin", "talk")
REFUSED = (b"HTTP/1.1 404 ", b"HTTP/1.1 502 ", b"HTTP/1.1 503 ")
"""What a request may get whose service has gone, or for which there are no descriptors."""


class Wrong(AssertionError):
    """Something else has come than what had to."""


class Idle:
    """One client's connection."""

    def __init__(self, port: int, kind: str, number: int, server: Server) -> None:
        self.kind, self.number, self._server = kind, number, server
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.port: int = self.sock.getsockname()[1]
        self.did = "nothing"
        self.got = 0
        self.exact = True
        """Whether all that the router sent has been read: then its count of it is known."""
        self.sock.sendall(self._request(kind, b"Connection: upgrade\r\nUpgrade: talk\r\n" if kind == "talk" else b""))

    def _request(self, path: str, more: bytes = b"") -> bytes:
        return b"GET /%b/%d HTTP/1.1\r\nHost: h\r\n%b\r\n" % (path.encode(), self.number, more)

    def answered(self) -> bool:
        """Read the answer; false where it is a refusal, which has ended the connection."""
        wanted = SWITCHED if self.kind == "talk" else answer_to(self.number)
        return self._read(wanted)

    def _read(self, wanted: bytes) -> bool:
        data = b""
        while len(data) < len(wanted) and (piece := self._receive(self.sock, len(wanted) - len(data))):
            data += piece
        self.got += len(data)
        if data == wanted:
            return True
        self.exact = False
        if not data.startswith(REFUSED):
            raise Wrong(f"{self.kind} {self.number} has got {data!r}, and not {wanted!r}")
        self.sock.close()
        return False

    @staticmethod
    def _receive(sock: socket.socket, most: int = 65_536) -> bytes:
        try:
            return sock.recv(most)
        except ConnectionError:
            return b""

    # -- what may happen

    def go_on(self, chance: random.Random) -> None:
        """Do something, mostly the end."""
        common: list[Callable[[], None]] = [self.closes, self.resets, self.ends_its_side]
        more = [self.asks, self.asks_in_pieces, self.asks_another] if self.kind == "split" else []
        if self.kind != "split":
            more = [self.talks, self.server_closes, self.server_resets, self.server_talks, self.both_at_once]
        action = chance.choice([*common, *more])
        self.did = action.__name__
        action()

    def closes(self) -> None:
        self.sock.close()
        self._drop_server()

    def resets(self) -> None:
        _reset(self.sock)
        self._drop_server()

    def ends_its_side(self) -> None:
        self.sock.shutdown(socket.SHUT_WR)
        if self.kind != "split":
            with self._server.take(self.number) as theirs:
                self._must_end(theirs)
                theirs.sendall(b"last word")
            self._read(b"last word")
        self._must_end(self.sock)
        self.sock.close()

    def asks(self) -> None:
        self.sock.sendall(self._request("split"))
        if self._read(answer_to(self.number)):
            self.sock.close()

    def asks_in_pieces(self) -> None:
        wire = self._request("split")
        self.sock.sendall(wire[:20])
        self.sock.sendall(wire[20:])
        if self._read(answer_to(self.number)):
            self.sock.close()

    def asks_another(self) -> None:
        """A request of another service: the connection goes there."""
        self.sock.sendall(self._request("pin"))
        if self._read(answer_to(self.number)):
            self._server.take(self.number).close()
            self._must_end(self.sock)
            self.sock.close()

    def talks(self) -> None:
        with self._server.take(self.number) as theirs:
            self._pass(self.sock, theirs, b"up")
            self._pass(theirs, self.sock, b"down")
        self.got += len(b"down") + 7
        self._must_end(self.sock)
        self.sock.close()

    def server_talks(self) -> None:
        with self._server.take(self.number) as theirs:
            self._pass(theirs, self.sock, b"down")
            self.got += len(b"down") + 7
            self.sock.close()
            self._must_end(theirs)

    def both_at_once(self) -> None:
        with self._server.take(self.number) as theirs:
            self.sock.sendall(b"up")
            theirs.sendall(b"down")
            self._read(b"down")
            _reset(self.sock if self.number % 2 else theirs)
        self.exact = False
        self.sock.close()

    def server_closes(self) -> None:
        self._server.take(self.number).close()
        self._must_end(self.sock)
        self.sock.close()

    def server_resets(self) -> None:
        _reset(self._server.take(self.number))
        self._must_end(self.sock)
        self.sock.close()

    def _pass(self, source: socket.socket, sink: socket.socket, word: bytes) -> None:
        wanted, got = b"%b%07d" % (word, self.number), b""
        source.sendall(wanted)
        while len(got) < len(wanted) and (piece := self._receive(sink)):
            got += piece
        if got != wanted:
            raise Wrong(f"{self.kind} {self.number}: {got!r} in place of {wanted!r}")

    def _must_end(self, sock: socket.socket) -> None:
        rest = self._receive(sock)
        if rest:
            raise Wrong(f"{self.kind} {self.number}: {rest!r} in place of the end")

    def _drop_server(self) -> None:
        if self.kind != "split":
            with self._server.take(self.number) as theirs:
                self._must_end(theirs)

    def drop(self) -> None:
        """Whatever has become of it."""
        self.sock.close()
        self._server.drop(self.number)

    def was_ended(self) -> None:
        """The router must end it, and say nothing more."""
        self.did = "was ended"
        self._must_end(self.sock)
        self.sock.close()
        self._drop_server()


def _reset(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
