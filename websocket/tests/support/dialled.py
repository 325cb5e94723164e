"""WebSockets to a service in a process of its own: with manners, and without."""

import socket
from collections.abc import Callable, Iterator
from typing import Any

from websockets.sync.client import ClientConnection, connect

from .served import Served
from .wire import opening

LIMIT = 1 << 20
TEXT, BINARY, CLOSE = 1, 2, 8


def opened(served: Served, **options: Any) -> ClientConnection:
    ws: ClientConnection = connect(served.url, max_size=None, ping_interval=None, **options)
    return ws


def without_manners() -> Iterator[Callable[..., socket.socket]]:
    """Dials WebSockets that are only sockets on which the handshake is over; they are closed in the end."""
    found: list[socket.socket] = []

    def dial(served: Served, **options: int) -> socket.socket:
        sock = socket.socket()
        found.append(sock)
        for option, value in options.items():
            sock.setsockopt(socket.SOL_SOCKET, getattr(socket, option), value)
        sock.settimeout(10)
        sock.connect(("127.0.0.1", served.port))
        sock.sendall(opening(served.path))
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += sock.recv(1)
        assert head.startswith(b"HTTP/1.1 101 ")
        return sock

    yield dial
    for sock in found:
        sock.close()
