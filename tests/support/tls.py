"""A TLS client that can end its own direction and read on: `ssl.SSLSocket` then throws away what comes."""

import contextlib
import io
import socket
import ssl
import threading
from typing import Any

__all__ = ["TlsStream"]

_PIECE = 65_536


class TlsStream(io.RawIOBase):
    """One connection, read as a stream; another thread may write meanwhile."""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext, host: str) -> None:
        """Shake hands.

        Raises:
            OSError: it failed; an ssl.SSLError where the peer is not trusted.
        """
        self._socket = sock
        self._come, self._gone = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._come, self._gone, server_hostname=host)
        self._state, self._order = threading.Lock(), threading.Lock()
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._flush()
                self._receive()
            else:
                break
        self._flush()

    def readable(self) -> bool:
        """For `io.BufferedReader`."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """For `io.BufferedReader`; 0 at the end, whether it was said or the connection just ended."""
        while True:
            with self._state, contextlib.suppress(ssl.SSLWantReadError):
                try:
                    piece = self._tls.read(len(buffer))
                except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                    return 0
                buffer[: len(piece)] = piece
                return len(piece)
            self._receive()

    def sendall(self, data: bytes) -> None:
        """Send all of it."""
        with self._order:
            with self._state:
                self._tls.write(data)
            self._flush()

    def end_sending(self) -> None:
        """Say that nothing more will come (RFC 8446 section 6.1)."""
        with self._order:
            with self._state, contextlib.suppress(ssl.SSLWantReadError):  # said; the peer's own end is not waited for
                self._tls.unwrap()
            self._flush()

    def _flush(self) -> None:
        self._socket.sendall(self._gone.read())

    def _receive(self) -> None:
        piece = self._socket.recv(_PIECE)
        with self._state:
            if piece:
                self._come.write(piece)
            else:
                self._come.write_eof()
