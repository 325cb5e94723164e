"""The stage of TLS, its clients, and what it lets in."""

import os
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

from portico.arrival import Arrival
from portico.certificates import Certificates
from portico.poller import Poller
from portico.tls import TlsSession, TlsStage
from portico.tlssession import GOODBYE_TIME, PIECE

from tests.support.descriptors import open_descriptors

from .authority import write_pair
from .reactor import HandReactor
from .tlsclient import TlsClient
from .wires import LISTENER, Answers, Inbox, as_reactor, tcp_pair

HANDSHAKE_TIME = 10.0
MOST = 3
HELD = 3 * PIECE
"""Bytes that a session may hold of one direction: a piece, what is made of it, and a record's rest."""
KERNEL = 16 << 20
"""More than the kernel's buffers on the way can hold."""
BODY = os.urandom(1 << 20)


class Rig:
    """A stage; what it lets in is kept, with the service's end in the test's hand."""

    def __init__(self, reactor: HandReactor, poller: Poller, answers: Answers, certificates: Certificates) -> None:
        self.reactor, self.answers = reactor, answers
        self.admitted: list[Arrival] = []
        self.sessions: set[TlsSession] = set()
        self.stage = TlsStage(
            certificates,
            HANDSHAKE_TIME,
            MOST,
            poller,
            as_reactor(reactor),
            self.admitted.append,
            answers.answer,
            self.sessions,
        )
        self.clients: list[socket.socket] = []

    def accept(self, preface: bytes = b"", *, small: bool = False) -> socket.socket:
        """A connection that has come; the client's end of it."""
        client, ours = tcp_pair()
        if small:  # few bytes in the kernel, so that a slow reader is felt soon
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
        self.clients.append(client)
        self.stage.accept(Arrival(ours, client.getsockname(), LISTENER, self.reactor.seconds(), preface))
        return client

    def connect(
        self, *, small: bool = False, context: ssl.SSLContext | None = None, name: str | None = "one.example"
    ) -> TlsClient:
        """A client after its handshake."""
        client = TlsClient(self.accept(small=small), context, name)
        before = len(self.admitted)
        client.until(self.reactor, lambda: client.shaken and len(self.admitted) > before)
        return client

    @property
    def session(self) -> TlsSession:
        (only,) = self.sessions
        return only

    def service(self, index: int = -1) -> Inbox:
        """The service's end of what was let in."""
        sock = self.admitted[index].as_socket()
        self.clients.append(sock)
        return Inbox(sock)


def two_names(folder: Path) -> Certificates:
    """Those of one.example and two.example, made new in `folder`."""
    write_pair(folder / "1.crt", folder / "1.key", "one.example")
    write_pair(folder / "2.crt", folder / "2.key", "two.example")
    return Certificates(folder, None)


def staged(reactor: HandReactor, poller: Poller, answers: Answers, certificates: Certificates) -> Iterator[Rig]:
    """A rig for one test, after which nothing is left."""
    before = open_descriptors()
    rig = Rig(reactor, poller, answers, certificates)
    yield rig
    for client in rig.clients:
        client.close()
    for arrival in rig.admitted:
        if arrival.sock.fileno() >= 0:
            arrival.close()
    reactor.settle()
    reactor.advance(GOODBYE_TIME)
    reactor.settle()
    assert rig.sessions == set()
    assert len(poller) == 0
    assert not reactor.getDelayedCalls()
    assert open_descriptors() == before


def held(session: TlsSession) -> int:
    """The most bytes that wait in the session, in either direction."""
    assert session._plain is not None
    return max(
        len(session._client.pending) + session._out.pending,
        len(session._plain.pending) + session._in.pending,
    )
