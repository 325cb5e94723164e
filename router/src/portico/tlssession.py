"""One TLS client: its handshake, then the relay between it and the plain side.

Back-pressure goes through: what one side does not take, the other is not read for. End-of-file is passed on in both
directions (close_notify, RFC 8446 section 6.1); a client that goes without close_notify looks to the service like any
client that has closed. A service that takes no more bytes may have answered already: its answer still goes out, and what the
client sends on is read away, as a reset would eat the answer.
"""

import contextlib
import socket
import ssl
from _socket import socket as RawSocket
from collections.abc import Callable
from typing import TYPE_CHECKING

from .arrival import Arrival
from .certificates import Asking
from .core.answers import DRAINED, HANDSHAKE_TIMEOUT, LEFT, NO_DESCRIPTORS, NO_HANDSHAKE, Answer
from .core.clienthello import TlsFacts
from .poller import ERROR, HANGUP, READ, READ_HANGUP, WRITE
from .tlsside import Side

if TYPE_CHECKING:
    from .tls import TlsStage

__all__ = ["TlsSession"]

PIECE = 65_536
"""Bytes moved at one go."""
GOODBYE_TIME = 10.0
"""Seconds without a byte moved that a client has to end its side after the service has ended its own."""
_DONTWAIT = int(socket.MSG_DONTWAIT)


class TlsSession:
    """One client: first its handshake, then the relay."""

    def __init__(self, arrival: Arrival, stage: "TlsStage") -> None:
        self._arrival, self._stage = arrival, stage
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = stage.certificates.default.wrap_bio(self._in, self._out, server_side=True)
        self._client = Side(arrival.sock, stage.poller, self._on_client)
        self._plain: Side | None = None
        self._client_ended = self._service_ended = False
        self._service_gone = False  # it will say no more than what is still to be read from it
        self._closed = False
        left = stage.handshake_time - (stage.reactor.seconds() - arrival.since)
        self._deadline = stage.reactor.callLater(max(0.0, left), self.close, HANDSHAKE_TIMEOUT)

    def begin(self) -> None:
        """Look at what is there already."""
        self._in.write(self._arrival.preface)
        self._guarded(self._advance)

    # -- events

    def _on_client(self, events: int) -> None:
        self._guarded(lambda: self._client_event(events))

    def _on_plain(self, events: int) -> None:
        self._guarded(lambda: self._plain_event(events))

    def _guarded(self, step: Callable[[], None]) -> None:
        """Take one step, then watch for what is needed next; whatever breaks ends the session."""
        try:
            step()
            if not self._closed:
                self._settle()
        except (ssl.SSLError, OSError) as error:
            with contextlib.suppress(OSError, ssl.SSLError):  # the alert that says what was wrong
                self._client.pending += self._out.read()
                self._client.send_pending()
            self.close(_answer_to(error))

    def _client_event(self, events: int) -> None:
        if events & (READ | ERROR | HANGUP) and not self._client_ended and self._may_read_client:
            try:
                piece = self._client.sock.recv(PIECE, _DONTWAIT)
            except (BlockingIOError, InterruptedError):
                piece = None
            if piece == b"":
                self._in.write_eof()
                self._client_ended = True
                if self._plain is None:
                    self.close(LEFT)
                    return
            elif piece:
                self._in.write(piece)
        self._advance()

    def _plain_event(self, events: int) -> None:
        plain = self._plain
        assert plain is not None
        if events & (READ_HANGUP | ERROR | HANGUP):
            self._service_gone = True
        if events & (READ | ERROR | HANGUP) and not self._service_ended and not self._client.pending:
            try:
                piece = plain.sock.recv(PIECE, _DONTWAIT)
            except (BlockingIOError, InterruptedError):
                piece = None
            except OSError:  # closed with something of the client's unread: no close_notify, as it may have broken off
                self._service_ended = True
                piece = None
            if piece == b"":
                self._service_ended = True
                with contextlib.suppress(ssl.SSLError):
                    self._tls.unwrap()  # close_notify; it wants the client's, for which we do not wait here
            elif piece:
                self._tls.write(piece)
        self._advance()

    # -- moving

    def _advance(self) -> None:
        if self._plain is None:
            self._shake_hands()
        if self._plain is not None:
            while self._decrypt(self._plain):
                self._send_plain(self._plain)
                if self._plain.pending:
                    break
            self._send_plain(self._plain)
        self._client.pending += self._out.read()
        if self._client.send_pending():
            self._moved()

    def _send_plain(self, plain: Side) -> None:
        try:
            if plain.send_pending():
                self._moved()
        except OSError:  # it takes nothing more; what it has said is still to be read
            plain.pending.clear()
            plain.closed_for_writing = True

    def _moved(self) -> None:
        if self._plain is not None and self._deadline.active():
            self._deadline.reset(GOODBYE_TIME)

    def _shake_hands(self) -> None:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return
        self._deadline.cancel()
        ours, theirs = socket.socketpair()
        plain = RawSocket(socket.AF_UNIX, socket.SOCK_STREAM, 0, ours.detach())
        self._plain = Side(plain, self._stage.poller, self._on_plain)
        old = self._arrival
        sock = RawSocket(socket.AF_UNIX, socket.SOCK_STREAM, 0, theirs.detach())
        inner = Arrival(sock, old.client, old.listener, old.since)
        inner.tls_facts, inner.named = self._facts(), old.named
        self._stage.admit(inner)

    def _facts(self) -> TlsFacts:
        name = self._tls.asked_name if isinstance(self._tls, Asking) else None
        protocol = self._tls.selected_alpn_protocol()
        return TlsFacts(name.lower().encode("ascii", "replace") if name else None, (protocol.encode(),) if protocol else ())

    def _decrypt(self, plain: Side) -> bool:
        """Move what has come to the plain side; whether there may be more."""
        while len(plain.pending) < PIECE:
            try:
                piece = self._tls.read(PIECE)
            except ssl.SSLWantReadError:
                return False
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                piece = b""
            if not piece:
                self._client_ended = True
                return False
            if not plain.closed_for_writing:
                plain.pending += piece
        return True

    @property
    def _may_read_client(self) -> bool:
        return self._plain is None or not self._plain.pending

    def _settle(self) -> None:
        """Pass on what has ended, and watch for what is needed next."""
        client, plain = self._client, self._plain
        if plain is None:
            client.want(READ | (WRITE if client.pending else 0))
            return
        if self._client_ended and not plain.pending:
            plain.end_writing()
        if self._service_ended and not client.pending:
            client.end_writing()
        if self._client_ended and plain.closed_for_writing and client.closed_for_writing:
            self.close()
            return
        if (self._service_ended or self._service_gone) and not self._deadline.active():
            self._deadline = self._stage.reactor.callLater(GOODBYE_TIME, self.close)
        read_client = READ if self._may_read_client and not self._client_ended else 0
        read_plain = 0
        if not self._service_ended and not (client.pending and self._service_gone):
            read_plain = READ_HANGUP if client.pending else READ
        client.want(read_client | (WRITE if client.pending else 0))
        plain.want(read_plain | (WRITE if plain.pending else 0))

    def close(self, answer: Answer = DRAINED) -> None:
        """End both sides; `answer` is what is said of one that has not got to the relay."""
        if self._closed:
            return
        self._closed = True
        if self._deadline.active():
            self._deadline.cancel()
        self._stage.sessions.discard(self)
        self._client.leave()
        if self._plain is None:
            self._stage.answer(self._arrival, answer)
            return
        self._client.sock.close()
        self._plain.leave()
        self._plain.sock.close()


def _answer_to(error: OSError) -> Answer:
    """What broke a handshake."""
    if isinstance(error, ssl.SSLError):
        return NO_HANDSHAKE
    return LEFT if isinstance(error, ConnectionError) else NO_DESCRIPTORS
