"""What the clients of the bench have in common: connections, requests, answers read whole."""

import socket

from .replies import ECHO
from .sample import Failed, Wrong

__all__ = ["answer", "ask", "connect", "get", "head_of", "length", "status", "upgraded"]

TIME = 15.0
"""Seconds for anything that a contender is asked."""


def connect(port: int, timeout: float = TIME) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", port), timeout)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def get(path: str, *headers: str) -> bytes:
    """A request for `path`."""
    return "\r\n".join((f"GET {path} HTTP/1.1", "Host: bench", *headers, "", "")).encode()


def head_of(sock: socket.socket, data: bytes = b"") -> tuple[bytes, bytes]:
    """The head of the next answer, and what came with it of the body.

    Raises:
        Failed: there was none.
    """
    while b"\r\n\r\n" not in data:
        piece = sock.recv(65_536)
        if not piece:
            raise Failed(f"the connection ended after {data[:60]!r}")
        data += piece
    head, _, rest = data.partition(b"\r\n\r\n")
    return head, rest


def status(head: bytes) -> int:
    """Of an answer's head; 0 where it has none."""
    parts = head.split(b" ", 2)
    return int(parts[1]) if len(parts) > 1 and parts[1].isdigit() else 0


def length(head: bytes) -> int | None:
    """Of the body, as an answer's head says; None where it does not."""
    fields = (line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
    return next((int(line.partition(b":")[2]) for line in fields), None)


def ask(sock: socket.socket, path: str, *headers: str) -> tuple[int, bytes]:
    """Status and body of one exchange, by Content-Length.

    Raises:
        Failed: it did not come whole.
    """
    sock.sendall(get(path, *headers))
    return answer(sock)


def answer(sock: socket.socket) -> tuple[int, bytes]:
    """Status and body of the next answer, by Content-Length.

    Raises:
        Failed: it did not come whole.
    """
    head, body = head_of(sock)
    size = length(head)
    if size is None:
        raise Failed("an answer without a length")
    got = bytearray(body)
    while len(got) < size:
        piece = sock.recv(1 << 20)
        if not piece:
            raise Failed(f"{len(got)} bytes of {size}")
        got += piece
    return status(head), bytes(got)


def upgraded(port: int) -> socket.socket:
    """A connection to the echo, past the answer 101.

    Raises:
        Wrong: it was not upgraded.
    """
    sock = connect(port)
    fields = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13")
    sock.sendall(get("/ws/echo", *fields, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="))
    head, rest = head_of(sock)
    if status(head) != status(ECHO) or rest:
        sock.close()
        raise Wrong(f"no upgrade: {head[:80]!r}")
    return sock
