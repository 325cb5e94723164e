"""A client of the replica's service, played step by step. Blocking, every wait bounded."""

import select
import socket
from dataclasses import dataclass

from ..codec import Address
from .broken import Broken

__all__ = ["Client"]


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
