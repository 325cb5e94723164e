"""A server that writes down every byte it gets, one connection for each request, and answers as it is told."""

import socket
import time
from collections.abc import Mapping

from ..support.listening import Listening

__all__ = ["Recorder"]

PAUSE = 0.05
"""Seconds between two pieces of an answer."""
QUIET = 0.05
"""Seconds without a byte after which a request is taken to be all that comes."""
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


class Recorder(Listening):
    """Listens on a port of its own; `answers`, in pieces, are by token, where a token is a part of the request's path."""

    def __init__(self, answers: Mapping[bytes, tuple[bytes, ...]]) -> None:
        self._answers = answers
        self._seen: list[bytearray] = []
        super().__init__(512)

    def seen(self, token: bytes) -> list[bytes]:
        """What came on each connection on which `token` came."""
        return [bytes(each) for each in self._seen if token in each]

    def _serve(self, client: socket.socket, port: int) -> None:
        got = bytearray()
        self._seen.append(got)
        client.settimeout(10)
        try:
            while piece := client.recv(65_536):
                got += piece
                if b"\r\n\r\n" in got or b"\n\n" in got:
                    client.settimeout(QUIET)
        except TimeoutError:
            pass
        except OSError:
            client.close()
            return
        if got:
            path = bytes(got).partition(b"\n")[0]
            answer = next((answer for token, answer in self._answers.items() if token in path), (OK,))
            try:
                for number, piece in enumerate(answer):
                    if number:
                        time.sleep(PAUSE)
                    client.sendall(piece)
                client.shutdown(socket.SHUT_WR)
                client.settimeout(0.5)
                while client.recv(65_536):
                    pass
            except OSError:
                pass
        client.close()
