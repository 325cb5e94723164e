"""A client's way to the site: it can be slow, break, and be there again."""

import contextlib
import socket
import struct
import threading
import time

from .listening import Listening

__all__ = ["Way"]

_PIECE = 65536
_RESET = struct.pack("ii", 1, 0)


class Way(Listening):
    """Listens on a port of its own and carries connections to `target`, a port of this machine."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._pause = 0.0
        self._broken = False
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__()

    def slow(self, bytes_per_second: float) -> None:
        """Carry no more than so much towards the site on each connection; 0: as much as there is."""
        self._pause = _PIECE / bytes_per_second if bytes_per_second else 0.0

    def cut(self) -> None:
        """Reset all that is open, and whoever comes, until `mend`."""
        with self._lock:
            self._broken = True
            opened = list(self._open)
        for sock in opened:
            _reset(sock)

    def mend(self) -> None:
        self._broken = False

    def close(self) -> None:
        """Accept no more, and reset what is open."""
        super().close()
        self.cut()

    def _serve(self, client: socket.socket, port: int) -> None:
        try:
            site = socket.create_connection(("127.0.0.1", self._target), 10)
        except OSError:
            _reset(client)
            return
        site.settimeout(None)
        with self._lock:
            self._open |= {client, site}
            broken = self._broken
        if broken:
            _reset(client)
            _reset(site)
        down = threading.Thread(target=self._carry, args=(site, client, False), daemon=True)
        down.start()
        self._carry(client, site, True)
        down.join()
        with self._lock:
            self._open -= {client, site}
        client.close()
        site.close()

    def _carry(self, here: socket.socket, there: socket.socket, up: bool) -> None:
        with contextlib.suppress(OSError):
            while piece := here.recv(_PIECE):
                if up and self._pause:
                    time.sleep(self._pause)
                there.sendall(piece)
            there.shutdown(socket.SHUT_WR)


def _reset(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        sock.shutdown(socket.SHUT_RDWR)
