"""Requests that put a file."""

from typing import Any

__all__ = ["BODY", "CHUNKED", "GET", "HEAD", "chunks", "early"]

BODY = bytes(range(256)) * 40
HEAD = b"PUT /uploads/x HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(BODY)
CHUNKED = b"PUT /uploads/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
GET = b"GET /uploads/x HTTP/1.1\r\nHost: x\r\n\r\n"


def chunks(body: bytes, size: int) -> bytes:
    cut = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in cut) + b"0\r\n\r\n"


def early(service: Any, request_bytes: bytes) -> Any:
    connection = service.connect()
    connection.send(request_bytes)
    return connection
