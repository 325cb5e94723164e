"""A server that has one answer for everything."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["answering"]


@contextmanager
def answering(answer: bytes) -> Iterator[int]:
    """Its port. Each piece that comes is answered with `answer`, connection after connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            try:
                while True:
                    sock, _ = listener.accept()
                    with sock:
                        while sock.recv(65_536):
                            sock.sendall(answer)
            except OSError:
                return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)
