"""A way to the router that breaks: connections through it are cut whenever so and so many bytes have gone up in all."""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable

from ..support.listening import Listening

__all__ = ["Cutting"]

_PIECE = 65536
_RESET = struct.pack("ii", 1, 0)


class Cutting(Listening):
    """Listens on a port of its own; `passed` is called with the bytes that have gone up so far, again and again.

    Every second cut ends our side only: towards the router the connection stays open and silent, as when a client's network
    goes away, so the next request finds an upload that somebody seems to be at.
    """

    def __init__(self, target: int, marks: list[int], passed: Callable[[int], None]) -> None:
        self._target, self._marks, self._passed = target, sorted(marks), passed
        self._lock = threading.Lock()
        self._up = 0
        self._hanging: list[socket.socket] = []
        self.cuts = 0
        super().__init__()

    def close(self) -> None:
        """Accept no more, and let go of what hangs."""
        super().close()
        for sock in self._hanging:
            sock.close()

    def _serve(self, client: socket.socket, port: int) -> None:
        with contextlib.suppress(OSError):
            router = socket.create_connection(("127.0.0.1", self._target), 10)
            router.settimeout(None)
            threading.Thread(target=_down, args=(router, client), daemon=True).start()
            self._carry(client, router)

    def _carry(self, client: socket.socket, router: socket.socket) -> None:
        try:
            while piece := client.recv(_PIECE):
                router.sendall(piece)
                if self._counts(len(piece)):
                    self._cut(client, router)
                    return
            router.shutdown(socket.SHUT_WR)
        except OSError:
            _end(client, router)

    def _counts(self, size: int) -> bool:
        with self._lock:
            self._up += size
            up = self._up
            mark = bool(self._marks) and up >= self._marks[0]
            if mark:
                self._marks.pop(0)
                self.cuts += 1
        self._passed(up)
        return mark

    def _cut(self, client: socket.socket, router: socket.socket) -> None:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        if self.cuts % 2:
            self._hanging.append(router)
            _end(client)
        else:
            router.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            _end(client, router)


def _down(router: socket.socket, client: socket.socket) -> None:
    try:
        while piece := router.recv(_PIECE):
            client.sendall(piece)
        client.shutdown(socket.SHUT_WR)
    except OSError:
        _end(client)


def _end(*socks: socket.socket) -> None:
    for sock in socks:
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
        sock.close()
