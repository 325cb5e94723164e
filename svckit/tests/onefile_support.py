"""A site with one file."""

import os

from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from svckit import sendfile

BIG = bytes(range(256)) * 16 * 1024  # 4 MiB


class OneFile(Resource):
    """Answers every request with the same file."""

    isLeaf = True

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path
        self.opened: list[int] = []

    def render(self, request: Request) -> int:
        fd = os.open(self.path, os.O_RDONLY)
        self.opened.append(fd)
        request.setHeader(b"Content-Type", b"application/x-test")
        sendfile.answer(request, fd, os.fstat(fd))
        return NOT_DONE_YET


def split(answer: bytes) -> tuple[int, dict[str, str], bytes]:
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    return int(first.split(" ")[1]), {k.lower(): v for k, _, v in (line.partition(": ") for line in lines)}, body


def parts_of(headers: dict[str, str], body: bytes) -> list[tuple[str, str, bytes]]:
    """Content-Type, Content-Range and bytes of each part."""
    kind, _, boundary = headers["content-type"].partition("; boundary=")
    assert kind == "multipart/byteranges" and int(headers["content-length"]) == len(body)
    first, *parts, last = body.split(b"\r\n--" + boundary.encode())
    assert (first, last) == (b"", b"--\r\n")
    found = []
    for part in parts:
        _, fields, data = split(b"HTTP/1.1 0 part" + part.replace(b"\r\n\r\n", b"\r\n\r\n", 1))
        found.append((fields["content-type"], fields["content-range"], data))
    return found
