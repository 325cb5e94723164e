"""Sends files by PUT over kept connections, and looks whether they are there."""

import re
import socket
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Load", "take", "wrong"]

_SMALL = 64 * 1024
"""Bytes up to which a body goes out together with its head."""
_length = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE).search


@dataclass(frozen=True)
class Load:
    """One sample: each of `connections` sends a file of its own, `requests` times."""

    size: int
    """Bytes of a file."""
    connections: int
    requests: int

    @property
    def count(self) -> int:
        return self.connections * self.requests


def take(port: int, load: Load, sources: Path, headers: Mapping[str, str]) -> float:
    """Seconds for all of it, with the answers; source N, which has number N's bytes, becomes /uploads/N.

    Raises:
        AssertionError: an answer is no success.
    """
    more = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    paths = [sources / str(at) for at in range(load.connections)]
    heads = [
        f"PUT /uploads/{path.name} HTTP/1.1\r\nHost: x\r\n{more}Content-Length: {load.size}\r\n\r\n".encode() for path in paths
    ]
    if load.size <= _SMALL:
        heads = [head + path.read_bytes() for head, path in zip(heads, paths, strict=True)]
    with ExitStack() as stack:
        files = [stack.enter_context(path.open("rb")) for path in paths]
        began = time.perf_counter()
        sockets = [stack.enter_context(socket.create_connection(("127.0.0.1", port), 120)) for _ in paths]
        for _ in range(load.requests):
            for sock, head, file in zip(sockets, heads, files, strict=True):
                sock.sendall(head)
                if load.size > _SMALL:
                    sock.sendfile(file)
            for sock in sockets:
                _expect_success(sock)
        return time.perf_counter() - began


def _expect_success(sock: socket.socket) -> None:
    answer = b""
    while (end := answer.find(b"\r\n\r\n")) < 0 or len(answer) < end + 4 + _rest(answer):
        piece = sock.recv(65536)
        assert piece, f"the answer breaks off: {answer[:200]!r}"
        answer += piece
    assert answer.split(b" ", 2)[1] in (b"200", b"201", b"204"), f"no success: {answer[:200]!r}"


def _rest(answer: bytes) -> int:
    found = _length(answer)
    return int(found[1]) if found else 0


def wrong(load: Load, sources: Path, folder: Path) -> list[str]:
    """The files below `folder` that are not what was sent; those that are right are removed."""
    found: list[str] = []
    for at in range(load.connections):
        path = folder / str(at)
        if not path.exists() or not _same(path, sources / str(at)):
            found.append(str(path))
        else:
            path.unlink()
    return found


def _same(one: Path, other: Path) -> bool:
    if one.stat().st_size != other.stat().st_size:
        return False
    with one.open("rb") as first, other.open("rb") as second:
        while piece := first.read(1 << 20):
            if piece != second.read(1 << 20):
                return False
    return True
