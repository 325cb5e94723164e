"""Large transfers, one at a time. The client copies nothing: it shares its core with the backend, and is not measured."""

import os
import socket
import time
from collections.abc import Callable

from .backend import large_file
from .clients import answer, connect, get, head_of, length, status
from .replies import FILE
from .sample import Failed, Sample, Wrong

__all__ = ["download", "passing", "upload"]

_buffer = bytearray(1 << 20)
_piece = bytes(1 << 20)
_big = -1
WARM = 0.3
"""Seconds of a transfer that are not looked at."""


def download(port: int, size: int, seconds: float) -> Sample:
    """Files of `size` bytes from the service static, one after the other.

    Raises:
        Failed: one was not whole.
        Wrong: an answer was not the file.
    """
    began, count = time.monotonic(), 0
    while count == 0 or time.monotonic() - began < seconds:
        with connect(port) as sock:
            sock.sendall(get(f"/static/n/{size}", "Connection: close"))
            head, rest = head_of(sock)
            if (status(head), length(head)) != (200, size):
                raise Wrong(f"a download of {size} bytes: {head[:100]!r}")
            got = len(rest)
            while got < size:
                piece = sock.recv_into(_buffer, min(len(_buffer), size - got), socket.MSG_TRUNC)
                if not piece:
                    raise Failed(f"a download ended after {got} of {size} bytes, {head[:40]!r}")
                got += piece
        count += 1
    return Sample(count * size / (1 << 30), time.monotonic() - began)


def upload(port: int, size: int, seconds: float) -> Sample:
    """Bodies of `size` bytes to the service uploads, one after the other.

    Raises:
        Failed: one was not taken.
        Wrong: its answer says something else.
    """
    global _big
    if _big < 0:
        _big = large_file()
    began, count = time.monotonic(), 0
    while count == 0 or time.monotonic() - began < seconds:
        with connect(port) as sock:
            fields = f"Host: bench\r\nContent-Length: {size}\r\nConnection: close"
            sock.sendall(f"POST /uploads/x HTTP/1.1\r\n{fields}\r\n\r\n".encode())
            at = 0
            sock.setblocking(True)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _timeval(20))
            while at < size:
                at += os.sendfile(sock.fileno(), _big, at % FILE, min(size - at, FILE - at % FILE))
            sock.settimeout(20)
            told = answer(sock)
            if told != (200, b"received %d\n" % size):
                raise Wrong(f"an upload of {size} bytes: {told[0]}, {told[1][-40:]!r}")
        count += 1
    return Sample(count * size / (1 << 30), time.monotonic() - began)


def passing(port: int, up: bool, seconds: float, cpu: Callable[[], float]) -> tuple[float, float, float]:
    """GiB, seconds, and what `cpu` went up by, in the midst of a transfer: without its beginning and its end.

    Raises:
        Failed: it did not go on.
    """
    moved, began, before = 0, 0.0, 0.0
    head = (
        f"POST /uploads/x HTTP/1.1\r\nHost: bench\r\nContent-Length: {1 << 40}\r\n\r\n".encode()
        if up
        else get(f"/static/n/{1 << 40}")
    )
    with connect(port) as sock:
        sock.sendall(head)
        if not up:
            head_of(sock)
        start = time.monotonic()
        while not began or time.monotonic() < began + seconds:
            if up:
                moved += sock.send(_piece)
            else:
                got = sock.recv_into(_buffer, len(_buffer), socket.MSG_TRUNC)
                if not got:
                    raise Failed("a transfer ended before its time")
                moved += got
            if not began and time.monotonic() > start + WARM:
                moved, began, before = 0, time.monotonic(), cpu()
        return moved / (1 << 30), time.monotonic() - began, cpu() - before


def _timeval(seconds: int) -> bytes:
    return seconds.to_bytes(8, "little") + bytes(8)
