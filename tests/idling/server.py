"""A server that knows each of its connections by the number that the client has asked with."""

import contextlib
import re
import selectors
import socket
import threading
import time

__all__ = ["SWITCHED", "Server", "answer_to"]

SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: talk\r\n\r\n"
_asked = re.compile(rb"GET /(split|pin|talk)/(\d+) ").match


def answer_to(number: int) -> bytes:
    """What a request with this number gets."""
    body = b"%d" % number
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


class Server:
    """Answers `/split/N` as often as it is asked; with `/pin/N` and `/talk/N` the connection is the test's after the answer."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self.port: int = self._listener.getsockname()[1]
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._heads: dict[socket.socket, bytes] = {}
        self._ours: dict[int, socket.socket] = {}
        self._stopped = False
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def take(self, number: int) -> socket.socket:
        """The server's end of the tunnel that began with this number."""
        end = time.monotonic() + 15
        while number not in self._ours and time.monotonic() < end:
            time.sleep(0.001)
        return self._ours.pop(number)

    def drop(self, number: int) -> None:
        """Close it, if nobody has taken it."""
        sock = self._ours.pop(number, None)
        if sock is not None:
            sock.close()

    def close(self) -> None:
        """End all that is left."""
        self._stopped = True
        self._thread.join(15)
        for sock in (self._listener, *self._heads, *self._ours.values()):
            sock.close()
        self._selector.close()

    def _serve(self) -> None:
        while not self._stopped:
            for key, _ in self._selector.select(0.05):
                sock = key.fileobj
                assert isinstance(sock, socket.socket)
                if sock is self._listener:
                    came, _ = sock.accept()
                    self._heads[came] = b""
                    self._selector.register(came, selectors.EVENT_READ)
                else:
                    self._read(sock)

    def _read(self, sock: socket.socket) -> None:
        piece = b""
        with contextlib.suppress(OSError):
            piece = sock.recv(65_536)
        head = self._heads[sock] + piece
        if not piece:
            self._forget(sock).close()
        elif not head.endswith(b"\r\n\r\n"):
            self._heads[sock] = head
        else:
            self._answer(sock, head)

    def _answer(self, sock: socket.socket, head: bytes) -> None:
        self._heads[sock] = b""
        asked = _asked(head)
        assert asked is not None, head
        number = int(asked[2])
        with contextlib.suppress(OSError):
            sock.sendall(SWITCHED if asked[1] == b"talk" else answer_to(number))
        if asked[1] != b"split":
            self._forget(sock).settimeout(15)
            self._ours[number] = sock

    def _forget(self, sock: socket.socket) -> socket.socket:
        self._selector.unregister(sock)
        del self._heads[sock]
        return sock
