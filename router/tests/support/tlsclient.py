"""A TLS client over a real socket that never waits: it is turned together with the reactor."""

import contextlib
import socket
import ssl
from collections.abc import Callable

from .reactor import HandReactor

__all__ = ["TlsClient", "trusting"]

PIECE = 65_536


def trusting(*protocols: str) -> ssl.SSLContext:
    """A client's context that takes every certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if protocols:
        context.set_alpn_protocols(list(protocols))
    return context


class TlsClient:
    """What it was told to send goes out as the socket takes it; what comes in is decrypted unless it is `slow`."""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext | None = None, name: str | None = "one.example") -> None:
        sock.setblocking(False)
        self.sock = sock
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = (context or trusting()).wrap_bio(self._in, self._out, server_hostname=name)
        self._unsent = bytearray()
        self.data = bytearray()
        self.slow = False
        self.shaken = False
        self.said_goodbye = self.ended = self.reset = False
        """The server has sent close_notify; the connection has ended, and whether by a reset."""
        self.failed: ssl.SSLError | None = None

    def hello(self) -> bytes:
        """The ClientHello, for a test that sends it itself."""
        self._step()
        return self._out.read()

    def write(self, data: bytes) -> None:
        """Encrypt and send, now or later."""
        self.tls.write(data)
        self.turn()

    def say_goodbye(self) -> None:
        """close_notify."""
        with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLSyscallError):
            self.tls.unwrap()
        self.turn()

    @property
    def unsent(self) -> int:
        """Bytes that the socket has not taken."""
        return len(self._unsent) + self._out.pending

    def turn(self) -> None:
        """Move what can be moved now."""
        if not self.slow:
            self._receive()
        self._step()
        self._unsent += self._out.read()
        while self._unsent:
            try:
                del self._unsent[: self.sock.send(self._unsent[:PIECE])]
            except BlockingIOError:
                break
            except OSError:
                self._unsent.clear()

    def _receive(self) -> None:
        while not self.ended:
            try:
                piece = self.sock.recv(PIECE)
            except BlockingIOError:
                return
            except ConnectionResetError:
                self.ended = self.reset = True
                return
            if not piece:
                self.ended = True
                self._in.write_eof()
            else:
                self._in.write(piece)

    def _step(self) -> None:
        if self.failed is not None:
            return
        try:
            if not self.shaken:
                self.tls.do_handshake()
                self.shaken = True
            while not self.said_goodbye:
                piece = self.tls.read(PIECE)
                self.said_goodbye = not piece
                self.data += piece
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.said_goodbye = True
        except ssl.SSLError as error:
            self.failed = error

    # -- together with the reactor

    def until(self, reactor: HandReactor, condition: Callable[[], object]) -> None:
        """Turn both until `condition()` holds."""

        def turned() -> object:
            self.turn()
            return condition()

        reactor.until(turned)

    def settle(self, reactor: HandReactor) -> None:
        """Turn both until nothing moves any more."""
        for _ in range(3):
            self.turn()
            reactor.settle()
        self.turn()
