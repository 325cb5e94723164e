"""A server behind tcp services that says who it is, what it was asked, and for whom."""

import contextlib
import re
import socket
import sys
import zlib

from ..support.listening import Listening

__all__ = ["SWITCHED", "Server", "bulk"]

SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: talk\r\n\r\n"
_asked = re.compile(rb"[A-Z]+ (\S+) HTTP/1.1\r\n").match
_length = re.compile(rb"(?i)\r\nContent-Length: (\d+)").search
_for = re.compile(rb"(?i)\r\nX-Forwarded-For: ([^\r]*)\r\nX-Forwarded-Proto: ([^\r]*)").search


def bulk(size: int) -> bytes:
    """So many bytes, of which no two pieces are alike for long."""
    return b"".join(b"%015d\n" % number for number in range(size // 16))


class Server(Listening):
    """`/…/talk` becomes an echo, in which `end`, `cut` and `big` are acted on."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(backlog=1024)

    def _serve(self, client: socket.socket, port: int) -> None:
        with client as sock, contextlib.suppress(OSError):
            data = b""
            while True:
                while b"\r\n\r\n" not in data:
                    piece = sock.recv(65_536)
                    if not piece:
                        return
                    data += piece
                head, _, data = data.partition(b"\r\n\r\n")
                asked = _asked(head)
                assert asked is not None, head
                if asked[1].endswith(b"/talk"):
                    sock.sendall(SWITCHED)
                    self._talk(sock)
                    return
                told = _length(head)
                while told is not None and len(data) < int(told[1]):
                    data += sock.recv(1 << 20) or sys.exit()  # of this thread
                size = re.search(rb"/bulk/(\d+)", asked[1])
                told_for = _for(head)
                who = b"-" if told_for is None else b"%b %b" % told_for.groups()
                body = bulk(int(size[1])) if size else b"%b %b %b" % (self.name.encode(), asked[1], who)
                if told is not None:
                    taken, data = data[: int(told[1])], data[int(told[1]) :]
                    body += b" %d" % zlib.crc32(taken)
                sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    def _talk(self, sock: socket.socket) -> None:
        while piece := sock.recv(65_536):
            if piece == b"cut!":
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                return
            if piece == b"end!":
                return
            sock.sendall(bulk(4 << 20) if piece == b"big!" else piece)
