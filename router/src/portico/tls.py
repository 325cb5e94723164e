"""TLS ends here: the client speaks TLS to us, the service gets the plain bytes on a socket of its own.

The plain side is a socket pair. One end goes through the router like any accepted socket: its head is read, it is routed, it is
handed over, handed back, joined to a tcp server. The other end stays here, and this module moves bytes between it and the
client through the TLS machine of OpenSSL (`ssl.MemoryBIO`: bytes in, bytes out). So every target serves TLS clients without
knowing how, and the price of TLS (a copy through this process) is paid here only.

Back-pressure goes through: what one side does not take, the other is not read for. End-of-file is passed on in both
directions (close_notify, RFC 8446 section 6.1); a client that goes without close_notify looks to the service like any
client that has closed.
"""

import contextlib
import socket
import ssl
from _socket import socket as RawSocket
from collections.abc import Callable

from svckit.reactors import Reactor
from twisted.logger import Logger

from .arrival import Arrival
from .certificates import Asking, Certificates
from .core.clienthello import TlsFacts
from .poller import ERROR, HANGUP, READ, WRITE, Poller

__all__ = ["TlsSession", "TlsStage"]

PIECE = 65_536
"""Bytes moved at one go."""
GOODBYE_TIME = 10.0
"""Seconds that a client has to end its side after the service has ended its own."""
_DONTWAIT = int(socket.MSG_DONTWAIT)
_SEND_FLAGS = int(socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)


class TlsStage:
    """Accepts TLS on connections of a listener, and lets the plain ones into the router."""

    log = Logger()

    def __init__(
        self,
        certificates: Certificates,
        handshake_time: float,
        most: int,
        poller: Poller,
        reactor: Reactor,
        admit: Callable[[Arrival], None],
    ) -> None:
        """`handshake_time` in seconds, from the connection's start; `most` is how many sessions there may be at once."""
        self.certificates = certificates
        self.handshake_time, self._most = handshake_time, most
        self.poller, self.reactor, self.admit = poller, reactor, admit
        self.sessions: set[TlsSession] = set()

    def accept(self, arrival: Arrival) -> None:
        """Begin the handshake."""
        if len(self.sessions) >= self._most:
            arrival.close()
            return
        session = TlsSession(arrival, self)
        self.sessions.add(session)
        session.begin()

    def close(self) -> None:
        """End all sessions; for the end of the router's drain."""
        for session in list(self.sessions):
            session.close()


class _Side:
    """One of the two sockets, what waits to be sent on it, and what it is watched for."""

    __slots__ = ("_watched", "closed_for_writing", "pending", "poller", "sock")

    def __init__(self, sock: RawSocket, poller: Poller, callback: Callable[[int], None]) -> None:
        self.sock, self.poller = sock, poller
        self.pending = bytearray()
        self.closed_for_writing = False
        self._watched = READ
        poller.add(sock.fileno(), READ, callback)

    def want(self, events: int) -> None:
        if events != self._watched:
            self.poller.change(self.sock.fileno(), self._watched, events)
            self._watched = events

    def send_pending(self) -> None:
        """Send what waits; raises OSError where the connection has broken."""
        while self.pending:
            try:
                sent = self.sock.send(self.pending, _SEND_FLAGS)
            except (BlockingIOError, InterruptedError):
                return
            del self.pending[:sent]

    def end_writing(self) -> None:
        if not self.closed_for_writing:
            self.closed_for_writing = True
            with contextlib.suppress(OSError):
                self.sock.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self.poller.remove(self.sock.fileno(), self._watched)
        self.sock.close()


class TlsSession:
    """One client: first its handshake, then the relay."""

    def __init__(self, arrival: Arrival, stage: TlsStage) -> None:
        self._arrival, self._stage = arrival, stage
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = stage.certificates.default.wrap_bio(self._in, self._out, server_side=True)
        self._client = _Side(arrival.sock, stage.poller, self._on_client)
        self._plain: _Side | None = None
        self._client_ended = self._service_ended = False
        self._closed = False
        left = stage.handshake_time - (stage.reactor.seconds() - arrival.since)
        self._deadline = stage.reactor.callLater(max(0.0, left), self.close)

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
        except (ssl.SSLError, OSError):
            with contextlib.suppress(OSError, ssl.SSLError):  # the alert that says what was wrong
                self._client.pending += self._out.read()
                self._client.send_pending()
            self.close()

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
                    self.close()
                    return
            elif piece:
                self._in.write(piece)
        self._advance()

    def _plain_event(self, events: int) -> None:
        plain = self._plain
        assert plain is not None
        if events & (READ | ERROR | HANGUP) and not self._service_ended and not self._client.pending:
            try:
                piece = plain.sock.recv(PIECE, _DONTWAIT)
            except (BlockingIOError, InterruptedError):
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
                self._plain.send_pending()
                if self._plain.pending:
                    break
            self._plain.send_pending()
        self._client.pending += self._out.read()
        self._client.send_pending()

    def _shake_hands(self) -> None:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return
        self._deadline.cancel()
        ours, theirs = socket.socketpair()
        plain = RawSocket(socket.AF_UNIX, socket.SOCK_STREAM, 0, ours.detach())
        self._plain = _Side(plain, self._stage.poller, self._on_plain)
        old = self._arrival
        sock = RawSocket(socket.AF_UNIX, socket.SOCK_STREAM, 0, theirs.detach())
        inner = Arrival(sock, old.client, old.listener, old.since)
        inner.tls_facts = self._facts()
        self._stage.admit(inner)

    def _facts(self) -> TlsFacts:
        name = self._tls.asked_name if isinstance(self._tls, Asking) else None
        protocol = self._tls.selected_alpn_protocol()
        return TlsFacts(name.lower().encode("ascii", "replace") if name else None, (protocol.encode(),) if protocol else ())

    def _decrypt(self, plain: _Side) -> bool:
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
            self._end_client()
        if plain.closed_for_writing and client.closed_for_writing:
            self.close()
            return
        read_client = READ if self._may_read_client and not self._client_ended else 0
        read_plain = READ if not client.pending and not self._service_ended else 0
        client.want(read_client | (WRITE if client.pending else 0))
        plain.want(read_plain | (WRITE if plain.pending else 0))

    def _end_client(self) -> None:
        """The service has said its last word: the client has a moment to say its own."""
        if not self._client.closed_for_writing:
            self._client.end_writing()
            self._deadline = self._stage.reactor.callLater(GOODBYE_TIME, self.close)

    def close(self) -> None:
        """End both sides."""
        if self._closed:
            return
        self._closed = True
        if self._deadline.active():
            self._deadline.cancel()
        self._client.close()
        if self._plain is not None:
            self._plain.close()
        self._stage.sessions.discard(self)
