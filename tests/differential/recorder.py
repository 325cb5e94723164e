"""A server that writes down every byte it gets, one connection for each request, and answers as it is told."""

import socket
import threading
import time
from collections.abc import Mapping

__all__ = ["Recorder"]

PAUSE = 0.05
"""Seconds between two pieces of an answer."""
QUIET = 0.05
"""Seconds without a byte after which a request is taken to be all that comes."""
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


class Recorder:
    """Listens on a port of its own; `answers`, in pieces, are by token, where a token is a part of the request's path."""

    def __init__(self, answers: Mapping[bytes, tuple[bytes, ...]]) -> None:
        self._answers = answers
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port: int = self._listener.getsockname()[1]
        self._seen: list[bytearray] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def seen(self, token: bytes) -> list[bytes]:
        """What came on each connection on which `token` came."""
        return [bytes(each) for each in self._seen if token in each]

    def close(self) -> None:
        """Accept no more."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        got = bytearray()
        self._seen.append(got)
        sock.settimeout(10)
        try:
            while piece := sock.recv(65_536):
                got += piece
                if b"\r\n\r\n" in got or b"\n\n" in got:
                    sock.settimeout(QUIET)
        except TimeoutError:
            pass
        except OSError:
            sock.close()
            return
        if got:
            path = bytes(got).partition(b"\n")[0]
            answer = next((answer for token, answer in self._answers.items() if token in path), (OK,))
            try:
                for number, piece in enumerate(answer):
                    if number:
                        time.sleep(PAUSE)
                    sock.sendall(piece)
                sock.shutdown(socket.SHUT_WR)
                sock.settimeout(0.5)
                while sock.recv(65_536):
                    pass
            except OSError:
                pass
        sock.close()
