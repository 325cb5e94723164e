"""A TLS client for what `ssl.SSLSocket` cannot do: end its own direction and read on, and be read and written by two threads.

The former throws away what comes. In the latter OpenSSL's state is spoilt now and then, where Python has no lock around it.
"""

import contextlib
import io
import socket
import ssl
import threading
from typing import Any

__all__ = ["TlsStream", "plain_end"]

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

    def close(self) -> None:
        """Close the connection."""
        super().close()
        self._socket.close()

    def _flush(self) -> None:
        self._socket.sendall(self._gone.read())

    def _receive(self) -> None:
        piece = self._socket.recv(_PIECE)
        with self._state:
            if piece:
                self._come.write(piece)
            else:
                self._come.write_eof()


def plain_end(stream: TlsStream) -> socket.socket:
    """A socket on which the plain bytes of `stream` go in and out, for a client that reads and writes by two threads."""
    client, ours = socket.socketpair()

    def up() -> None:
        with contextlib.suppress(OSError):
            while piece := ours.recv(_PIECE):
                stream.sendall(piece)
            stream.end_sending()

    def down() -> None:
        with contextlib.suppress(OSError):
            while piece := stream.read(_PIECE):
                ours.sendall(piece)
            ours.shutdown(socket.SHUT_WR)
        sender.join()
        stream.close()
        ours.close()

    sender = threading.Thread(target=up, daemon=True)
    sender.start()
    threading.Thread(target=down, daemon=True).start()
    return client
