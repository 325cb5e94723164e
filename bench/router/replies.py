"""What the backend of the bench answers: pure, bytes to bytes. The epoll backend and the in-process service share it.

GET /SERVICE/1k, /SERVICE/64k     so many bytes, which end with the service's name
GET /SERVICE/n/N                  N bytes
POST /SERVICE/x                   the body is read away, the answer says how many bytes it had
POST /SERVICE/sum                 it is looked at, and the answer says its CRC-32, too
GET with Upgrade                  101, and from then on an echo
"""

from typing import NamedTuple

__all__ = ["ECHO", "FILE", "SERVICES", "Reply", "body", "head_end", "piece", "reply", "tail", "uploaded"]

SERVICES = ("static", "uploads", "ws")
SIZES = {b"1k": 1024, b"64k": 65_536}
BIG = 1 << 40
"""Bytes that `/n/N` may ask for."""
FILE = 16 << 20
"""Bytes of the large file; one that is asked for more is sent again and again."""
ECHO = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)


class Reply(NamedTuple):
    """What is done about one request."""

    head: bytes
    """With a short body."""
    close: bool = False
    """End the connection after it."""
    big: int = 0
    """Bytes of the large file that follow."""
    upload: int = 0
    """Bytes of a body that comes first; `uploaded` makes the answer."""
    summed: bool = False
    """That answer says the body's CRC-32, too."""
    echo: bool = False


def piece(at: int) -> bytes:
    """The 4,096 bytes of the large file from `at`, a multiple of that; no two of them in it are the same."""
    return b"%015d\n" % at * 256


def tail(service: str) -> bytes:
    """How each small body of a service ends; all are equally long, so that one cannot be the end of another."""
    return f"<{service:>10}>".encode()


def body(service: str, size: int) -> bytes:
    """`size` bytes that no other service answers."""
    pattern = f"{service} 0123456789abcdef ".encode()
    return (pattern * (size // len(pattern) + 1))[: size - 12] + tail(service)


_bodies = {(service, size): body(service, size) for service in SERVICES for size in SIZES.values()}


def head_end(data: bytes | bytearray) -> int:
    """Where the body begins; 0 where the head is not whole."""
    return data.find(b"\r\n\r\n") + 4 if b"\r\n\r\n" in data else 0


def _field(head: bytes, name: bytes) -> bytes:
    at = head.lower().find(b"\r\n" + name + b":")
    return b"" if at < 0 else head[at + len(name) + 3 :].partition(b"\r\n")[0].strip()


def _answer(content: bytes, close: bool, status: bytes = b"200 OK", length: int | None = None) -> bytes:
    said = b"Connection: close\r\n" if close else b""
    size = len(content) if length is None else length
    return b"HTTP/1.1 %s\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n%s\r\n%s" % (status, size, said, content)


def uploaded(size: int, close: bool, total: int | None = None) -> bytes:
    """The answer to a body of so many bytes, with its CRC-32 where that was asked for."""
    return _answer(b"received %d%s\n" % (size, b"" if total is None else b" %08x" % total), close)


def reply(service: str, head: bytes) -> Reply:
    """What `service` does about the request with this head."""
    target = head.split(b" ", 2)[1] if head.count(b" ") >= 2 else b"/"
    close = _field(head, b"connection").lower() == b"close"
    parts = target.split(b"/")
    if len(parts) < 3 or parts[1] != service.encode():
        return Reply(_answer(b"that is not mine\n", True, b"404 Not Found"), close=True)
    if _field(head, b"upgrade"):
        return Reply(ECHO, echo=True)
    if head.startswith(b"POST "):
        return Reply(b"", close, upload=int(_field(head, b"content-length") or b"0"), summed=parts[2] == b"sum")
    if parts[2] == b"n":
        big = min(int(parts[3]), BIG)
        return Reply(_answer(b"", close, length=big), close, big=big)
    return Reply(_answer(_bodies[service, SIZES.get(parts[2], 1024)], close), close)
