"""A server by hand: a port of its own, and a thread for each connection."""

import contextlib
import socket
import threading
from abc import ABC, abstractmethod

__all__ = ["Listening"]


class Listening(ABC):
    """Listens on a port of this machine from its start; `_serve` says what becomes of a connection."""

    def __init__(self, backlog: int = 128) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=backlog)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Accept no more."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, peer = self._listener.accept()
                threading.Thread(target=self._serve, args=(client, peer[1]), daemon=True).start()

    @abstractmethod
    def _serve(self, client: socket.socket, port: int) -> None:
        """In a thread of its own; `client`, which came from `port`, is its to close."""
