"""A client that goes from service to service on one connection, and knows what each must say to it."""

import contextlib
import socket
import ssl
import struct

from .host import Host, Wrong
from .rules import REDIRECT
from .server import SWITCHED, bulk

__all__ = ["Client"]


class Client:
    """Its connection, what it has had, and what the access log must say of it."""

    def __init__(self, host: Host, number: int, kind: str) -> None:
        """`kind`: of the listener, `port`, `proxied` or `secure`."""
        self.tls = kind == "secure"
        # each from an address of its own, by which the log tells it from those that have had its port
        ours = "127.0.0.1" if kind == "proxied" else f"127.{1 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"
        plain = socket.create_connection(("127.0.0.1", getattr(host, kind)), timeout=20, source_address=(ours, 0))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.address, self.port = plain.getsockname()
        self.sock: socket.socket = plain
        if self.tls:
            self.sock = ssl.create_default_context(cafile=host.trust).wrap_socket(plain, server_hostname="localhost")
        if kind == "proxied":
            self.address, self.port = f"192.0.2.{number % 250 + 1}", 1 + number % 65_535
            self.sock.sendall(b"PROXY TCP4 %b 192.0.2.254 %d 80\r\n" % (self.address.encode(), self.port))
        self.services: list[str | None] = []
        """Who has had it, one after the other."""
        self.down = 0
        """Bytes from tcp services."""
        self.exact, self.over = True, False
        self.tunnel = self.pinned = ""
        """The server at whose end of a tunnel it is; a pinned one answers requests."""
        self.did: list[str] = []
        self._data = b""

    @property
    def key(self) -> tuple[str, int]:
        """How the log calls it."""
        return self.address, self.port

    # -- what it says

    @staticmethod
    def wire(path: str, name: str, method: str = "GET", more: str = "") -> bytes:
        """A request; the same one is the same bytes for each client."""
        return f"{method} {path} HTTP/1.1\r\nHost: {name}\r\n{more}\r\n".encode()

    def went_to(self, service: str | None) -> None:
        """The model's word."""
        if not self.services or self.services[-1] != service:
            self.services.append(service)

    def expect(self, path: str, service: str | None, server: str, more: str = "") -> None:
        """The answer to a request; `service` None: there is no route."""
        if service in (None, REDIRECT):
            self.went_to(None)
            self._must(self._read_answer()[0], b"HTTP/1.1 308 " if service else b"HTTP/1.1 404 ")
            self.finish()
            return
        self.went_to(service)
        head, body = self._read_answer()
        if service != "h":
            self.down += len(head) + len(body)
        self._must(head, b"HTTP/1.1 200 ")
        who = "-" if self.pinned else self.address if service == "h" else f"{self.address} {'https' if self.tls else 'http'}"
        size = path.partition("/bulk/")[2]
        wanted = bulk(int(size)) if size and service != "h" else f"{server} {path} {who}{more}".encode()
        if body != wanted:
            raise Wrong(f"{path} of {service} for {self.address}: {len(body)} bytes, {body[:80]!r}, and not {wanted[:80]!r}")

    def expect_switch(self, service: str, server: str) -> None:
        """The answer to an upgrade."""
        self.went_to(service)
        self._must(self._take(len(SWITCHED)), SWITCHED)
        self.down += len(SWITCHED)
        self.tunnel = server

    def talk(self, word: bytes, wanted: bytes) -> None:
        """In a tunnel."""
        self.sock.sendall(word)
        self._must(self._take(len(wanted)), wanted)
        self.down += len(wanted)

    # -- how it ends

    def finish(self) -> None:
        """The router must end it, and say nothing more."""
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            self._must(self._data + self.sock.recv(10), b"")
        self.sock.close()
        self.over = True

    def leave(self, reset: bool) -> None:
        """Go."""
        if reset:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()
        self.over = True

    def end_its_side(self) -> None:
        """Nothing more is said."""
        if self.tls:
            self.leave(False)
            return
        self.sock.shutdown(socket.SHUT_WR)
        self.finish()

    # -- reading

    def _read_answer(self) -> tuple[bytes, bytes]:
        while b"\r\n\r\n" not in self._data:
            self._more()
        end = self._data.index(b"\r\n\r\n") + 4
        head = self._take(end)
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        return head, self._take(int(length[15:]))

    def _take(self, size: int) -> bytes:
        pieces, have = [self._data], len(self._data)
        while have < size:
            piece = self.sock.recv(min(size - have, 1 << 20))
            if not piece:
                raise Wrong(f"the end after {have} of {size} bytes, {b''.join(pieces)[-80:]!r}")
            pieces.append(piece)
            have += len(piece)
        data = b"".join(pieces)
        self._data = data[size:]
        return data[:size]

    def _more(self) -> None:
        piece = self.sock.recv(65_536)
        if not piece:
            raise Wrong(f"the end in place of an answer, after {self._data!r}")
        self._data += piece

    @staticmethod
    def _must(found: bytes, wanted: bytes) -> None:
        if not found.startswith(wanted) or not (wanted or not found):
            raise Wrong(f"{found[:80]!r} in place of {wanted[:80]!r}")
