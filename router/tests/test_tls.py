"""TLS that ends in the router: real handshakes, both directions, ends of all kinds, bounds."""

import hashlib
import os
import socket
import ssl
from collections.abc import Iterator
from contextlib import suppress

import pytest
from portico.arrival import Arrival, RawSocket
from portico.certificates import Certificates
from portico.core.answers import CROWDED, DRAINED, HANDSHAKE_TIMEOUT, LEFT, NO_DESCRIPTORS, NO_HANDSHAKE
from portico.core.clienthello import TlsFacts
from portico.poller import Poller
from portico.tls import GOODBYE_TIME, PIECE, TlsSession, TlsStage

from .support.authority import write_pair
from .support.reactor import HandReactor
from .support.tlsclient import TlsClient, trusting
from .support.wires import LISTENER, Answers, Inbox, as_reactor, open_descriptors, reset, tcp_pair

HANDSHAKE_TIME = 10.0
MOST = 3
HELD = 3 * PIECE
"""Bytes that a session may hold of one direction: a piece, what is made of it, and a record's rest."""
KERNEL = 16 << 20
"""More than the kernel's buffers on the way can hold."""


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


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder = tmp_path_factory.mktemp("certificates")
    write_pair(folder / "1.crt", folder / "1.key", "one.example")
    write_pair(folder / "2.crt", folder / "2.key", "two.example")
    return Certificates(folder, None)


@pytest.fixture
def rig(reactor: HandReactor, poller: Poller, answers: Answers, certificates: Certificates) -> Iterator[Rig]:
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


# -- the handshake


def test_plain_bytes_both_ways(rig: Rig) -> None:
    client = rig.connect()
    service = rig.service()
    client.write(b"hello")
    rig.reactor.until(service.holds(b"hello"))
    service.sock.send(b"and back")
    client.until(rig.reactor, lambda: client.data == b"and back")


@pytest.mark.parametrize("size", [1, 5, 100])
def test_a_client_hello_in_pieces(rig: Rig, size: int) -> None:
    client = TlsClient(rig.accept())
    hello = client.hello()
    for at in range(0, len(hello), size):
        assert not client.shaken
        client.sock.send(hello[at : at + size])
        rig.reactor.settle()
    client.until(rig.reactor, lambda: client.shaken and rig.admitted)


def test_what_was_read_before_is_not_lost(rig: Rig) -> None:
    client_end, ours = tcp_pair()
    rig.clients.append(client_end)
    client = TlsClient(client_end)
    hello = client.hello()
    rig.stage.accept(Arrival(ours, client_end.getsockname(), LISTENER, 0.0, hello[:50]))
    client_end.send(hello[50:])
    client.until(rig.reactor, lambda: client.shaken and rig.admitted)


def test_a_request_right_behind_the_handshake(rig: Rig) -> None:
    """With TLS 1.3 a client's last handshake message and its request come in one segment."""
    client = TlsClient(rig.accept())
    wire = client.hello()
    client.sock.send(wire)
    rig.reactor.settle()
    client._receive()
    client._step()
    assert client.shaken
    client.tls.write(b"GET / HTTP/1.1\r\n\r\n")
    client.turn()
    rig.reactor.until(lambda: rig.admitted)
    service = rig.service()
    rig.reactor.until(service.holds(b"GET / HTTP/1.1\r\n\r\n"))


def test_what_the_router_is_told(rig: Rig) -> None:
    rig.reactor.advance(7)
    client = rig.connect(name="Two.Example", context=trusting("h2", "http/1.1"))
    (arrival,) = rig.admitted
    assert arrival.client == client.sock.getsockname()
    assert arrival.listener == LISTENER
    assert arrival.since == 7  # one deadline over handshake and head
    assert arrival.preface == b""
    assert not arrival.returned
    assert arrival.tls_facts == TlsFacts(b"two.example", (b"http/1.1",))
    assert client.tls.selected_alpn_protocol() == "http/1.1"
    assert client.tls.version() == "TLSv1.3"


@pytest.mark.parametrize(("offered", "agreed"), [((), ()), (("h2",), ()), (("http/1.1",), (b"http/1.1",))])
def test_protocols(rig: Rig, offered: tuple[str, ...], agreed: tuple[bytes, ...]) -> None:
    rig.connect(name=None, context=trusting(*offered))
    assert rig.admitted[0].tls_facts == TlsFacts(None, agreed)


def test_tls_1_2_is_spoken(rig: Rig) -> None:
    context = trusting()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    client = rig.connect(context=context)
    assert client.tls.version() == "TLSv1.2"
    client.write(b"hello")
    service = rig.service()
    rig.reactor.until(service.holds(b"hello"))


def test_tls_1_1_is_refused(rig: Rig) -> None:
    context = trusting()
    with pytest.warns(DeprecationWarning):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    client = TlsClient(rig.accept(), context)
    client.until(rig.reactor, lambda: client.ended)
    assert not client.shaken
    assert client.failed is not None
    assert "protocol version" in str(client.failed).lower().replace("_", " ")
    assert rig.answers.kinds == [NO_HANDSHAKE]


@pytest.mark.parametrize(
    "garbage", [b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", b"\0" * 100, b"\x16\x03\x01\xff\xff" + b"x" * 70_000]
)
@pytest.mark.parametrize("read_before", [True, False])
def test_garbage_instead_of_a_client_hello(rig: Rig, garbage: bytes, read_before: bool) -> None:
    client = rig.accept(garbage[:16_384] if read_before else b"")
    client.setblocking(False)
    if not read_before:
        client.send(garbage)
    inbox = Inbox(client)
    rig.reactor.until(lambda: rig.answers.given)
    rig.reactor.until(inbox.has_ended)
    assert rig.answers.kinds == [NO_HANDSHAKE]
    assert rig.admitted == []


def test_a_client_that_leaves_in_the_handshake(rig: Rig) -> None:
    client = TlsClient(rig.accept())
    client.sock.send(client.hello()[:40])
    rig.reactor.settle()
    client.sock.close()
    rig.reactor.settle()
    assert rig.answers.kinds == [LEFT]


def test_a_client_that_resets_in_the_handshake(rig: Rig) -> None:
    client = rig.accept()
    rig.reactor.settle()
    reset(client)
    rig.reactor.settle()
    assert rig.answers.kinds == [LEFT]


def test_the_handshake_has_one_deadline_from_the_connections_start(rig: Rig) -> None:
    client = TlsClient(rig.accept())
    hello = client.hello()
    for second in range(int(HANDSHAKE_TIME)):
        assert rig.answers.kinds == []
        client.sock.send(hello[second : second + 1])
        rig.reactor.settle()
        rig.reactor.advance(1)
    assert rig.answers.kinds == [HANDSHAKE_TIMEOUT]
    assert Inbox(client.sock).has_ended()


def test_what_other_stages_took_counts_against_the_deadline(rig: Rig) -> None:
    client, ours = tcp_pair()
    rig.clients.append(client)
    rig.reactor.advance(HANDSHAKE_TIME - 1)
    rig.stage.accept(Arrival(ours, client.getsockname(), LISTENER, 0.0))
    rig.reactor.advance(1.1)
    assert rig.answers.kinds == [HANDSHAKE_TIMEOUT]


def test_after_the_handshake_there_is_no_deadline(rig: Rig) -> None:
    client = rig.connect()
    rig.reactor.advance(10 * HANDSHAKE_TIME)
    client.write(b"still here")
    service = rig.service()
    rig.reactor.until(service.holds(b"still here"))


def test_as_many_sessions_as_there_may_be(rig: Rig) -> None:
    clients = [rig.connect() for _ in range(MOST)]
    one_more = Inbox(rig.accept())
    assert one_more.has_ended()
    assert rig.answers.kinds == [CROWDED]
    clients[0].sock.close()
    rig.reactor.settle()
    rig.service(0).sock.close()
    rig.reactor.settle()
    assert len(rig.sessions) == MOST - 1
    rig.connect()
    assert len(rig.admitted) == MOST + 1


# -- much data


BODY = os.urandom(1 << 20)
TIMES = 24


def test_a_large_body_up_and_a_slow_service(rig: Rig) -> None:
    client = rig.connect(small=True)
    service = rig.service()
    for _ in range(TIMES):
        client.write(BODY)
    for _ in range(300):  # nobody reads at the other end
        rig.reactor.turn(0.001)
        client.turn()
        assert held(rig.session) <= HELD
    assert client.unsent > (TIMES << 20) - KERNEL
    digest, size = hashlib.sha256(), 0

    def drained() -> bool:
        nonlocal size
        client.turn()
        assert held(rig.session) <= HELD
        try:
            piece = service.sock.recv(100_000)
        except BlockingIOError:
            return False
        digest.update(piece)
        size += len(piece)
        return size == TIMES << 20

    rig.reactor.until(drained)
    assert digest.digest() == hashlib.sha256(BODY * TIMES).digest()


def test_a_large_body_down_and_a_slow_client(rig: Rig) -> None:
    client = rig.connect(small=True)
    service = rig.service()
    client.slow = True
    sent, whole = 0, BODY * TIMES

    def push() -> None:
        nonlocal sent
        with suppress(BlockingIOError):
            sent += service.sock.send(whole[sent : sent + (1 << 20)])

    for _ in range(300):
        push()
        rig.reactor.turn(0.001)
        assert held(rig.session) <= HELD
    assert sent < len(whole) - (1 << 20)  # the service was made to wait
    client.slow = False

    def come() -> bool:
        push()
        client.turn()
        assert held(rig.session) <= HELD
        return len(client.data) == len(whole)

    rig.reactor.until(come)
    assert hashlib.sha256(client.data).digest() == hashlib.sha256(whole).digest()


def test_both_directions_at_once(rig: Rig) -> None:
    client = rig.connect()
    service = rig.service()
    client.write(BODY * 4)
    sent = 0

    def both() -> bool:
        nonlocal sent
        with suppress(BlockingIOError):
            sent += service.sock.send((BODY * 4)[sent : sent + 200_000])
        client.turn()
        service.read()
        return len(client.data) == len(service.data) == 4 << 20

    rig.reactor.until(both)
    assert client.data == service.data == BODY * 4


# -- ends


def test_the_client_ends_its_side_and_still_reads(rig: Rig) -> None:
    client = rig.connect()
    service = rig.service()
    client.write(b"question")
    client.say_goodbye()
    rig.reactor.until(service.has_ended)
    assert service.data == b"question"
    service.sock.send(b"answer")
    service.sock.close()
    client.until(rig.reactor, lambda: client.ended)
    assert client.data == b"answer"
    assert client.said_goodbye
    assert not client.reset
    client.sock.close()
    rig.reactor.settle()
    assert rig.sessions == set()


def test_a_client_that_ends_without_close_notify_still_reads(rig: Rig) -> None:
    client = rig.connect()
    service = rig.service()
    client.write(b"question")
    client.sock.shutdown(socket.SHUT_WR)
    rig.reactor.until(service.has_ended)
    assert service.data == b"question"
    service.sock.send(b"answer")
    service.sock.close()
    client.until(rig.reactor, lambda: client.ended)
    assert client.data == b"answer"
    assert client.said_goodbye
    assert rig.sessions == set()


def test_the_service_ends_its_side_and_still_reads(rig: Rig) -> None:
    client = rig.connect()
    service = rig.service()
    service.sock.send(b"answer")
    service.sock.shutdown(socket.SHUT_WR)
    client.until(rig.reactor, lambda: client.said_goodbye)
    assert client.data == b"answer"
    client.write(b"afterthought")
    rig.reactor.until(service.holds(b"afterthought"))
    assert not service.ended
    client.say_goodbye()
    client.sock.close()
    rig.reactor.until(service.has_ended)
    assert rig.sessions == set()


def test_a_service_that_ends_its_side_loses_nothing_of_what_it_has_not_read(rig: Rig) -> None:
    client = rig.connect(small=True)
    service = rig.service()
    client.write(BODY * 4)
    for _ in range(50):
        rig.reactor.turn(0.001)
        client.turn()
    service.sock.shutdown(socket.SHUT_WR)

    def come() -> bool:
        client.turn()
        return len(service.read()) == 4 << 20

    rig.reactor.until(come)
    assert service.data == BODY * 4
    client.until(rig.reactor, lambda: client.said_goodbye)


@pytest.mark.parametrize("way", ["leaves", "resets"])
def test_a_client_that_is_gone(rig: Rig, way: str) -> None:
    client = rig.connect()
    service = rig.service()
    client.write(b"last words")
    rig.reactor.until(service.holds(b"last words"))
    if way == "resets":
        reset(client.sock)
    else:
        client.sock.close()
    rig.reactor.until(service.has_ended)
    service.sock.close()
    rig.reactor.settle()
    assert rig.sessions == set()


def test_what_the_client_sent_before_it_left_arrives(rig: Rig) -> None:
    client = rig.connect()
    service = rig.service()
    client.write(BODY[:500_000])
    client.say_goodbye()
    client.until(rig.reactor, lambda: not client.unsent)
    client.sock.close()
    rig.reactor.until(service.has_ended)
    assert service.data == BODY[:500_000]


def test_an_answer_in_the_middle_of_an_upload_arrives(rig: Rig) -> None:
    """The service answers early and closes; a reset, for what the client still sends, would eat the answer."""
    client = rig.connect()
    service = rig.service()
    client.write(BODY)
    rig.reactor.until(lambda: len(service.read()) > 1_000)
    client.slow = True
    service.sock.send(b"413 go away")
    service.sock.close()
    client.write(BODY * 3)
    for _ in range(200):
        rig.reactor.turn(0.001)
        client.turn()
    client.slow = False
    client.until(rig.reactor, lambda: client.ended)
    assert client.data == b"413 go away"
    assert not client.reset
    client.until(rig.reactor, lambda: not client.unsent)
    client.sock.close()
    rig.reactor.until(lambda: not rig.sessions)


def test_a_service_that_breaks_off_with_bytes_unread_says_no_goodbye(rig: Rig) -> None:
    client = rig.connect()
    service = rig.service()
    client.write(b"never read")
    rig.reactor.settle()
    service.sock.send(b"half an ans")
    service.sock.close()
    client.until(rig.reactor, lambda: client.ended)
    assert client.data == b"half an ans"
    assert not client.said_goodbye


def test_a_client_that_does_not_end_has_only_a_moment(rig: Rig) -> None:
    client = rig.connect()
    rig.service().sock.close()
    client.until(rig.reactor, lambda: client.ended)
    assert client.said_goodbye
    rig.reactor.advance(GOODBYE_TIME - 0.1)
    assert len(rig.sessions) == 1
    rig.reactor.advance(0.2)
    assert rig.sessions == set()


def test_a_client_that_does_not_read_does_not_outlive_its_service_for_long(rig: Rig) -> None:
    client = rig.connect(small=True)
    service = rig.service()
    client.slow = True
    for _ in range(300):
        with suppress(BlockingIOError):
            service.sock.send(BODY)
        rig.reactor.turn(0.001)
    service.sock.close()  # it has lost patience
    rig.reactor.settle()  # fails if the end of the service is reported again and again
    assert len(rig.sessions) == 1
    rig.reactor.advance(GOODBYE_TIME - 1)
    for _ in range(20):  # it reads a little, so it is not gone
        client._receive()
        rig.reactor.turn(0.001)
    rig.reactor.advance(GOODBYE_TIME - 1)
    assert len(rig.sessions) == 1
    rig.reactor.settle()
    rig.reactor.advance(GOODBYE_TIME + 0.1)
    assert rig.sessions == set()


def test_damaged_records_end_the_session(rig: Rig) -> None:
    client = rig.connect()
    service = rig.service()
    client.sock.send(b"\x17\x03\x03\x00\x20" + b"x" * 32)
    client.until(rig.reactor, lambda: client.ended)
    assert "bad record mac" in str(client.failed).lower().replace("_", " ")
    rig.reactor.until(service.has_ended)
    assert rig.sessions == set()
    assert rig.answers.given == []  # the router has it, and says what became of it


def test_sessions_can_be_closed(rig: Rig) -> None:
    shaking, client = rig.accept(), rig.connect()
    service = rig.service()
    for session in list(rig.sessions):
        session.close()
        session.close()
    assert rig.answers.kinds == [DRAINED]
    assert Inbox(shaking).has_ended()
    client.until(rig.reactor, lambda: client.ended)
    rig.reactor.until(service.has_ended)


def test_without_descriptors_for_the_plain_side(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*_: object) -> tuple[RawSocket, RawSocket]:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(socket, "socketpair", exhausted)
    client = TlsClient(rig.accept())
    client.until(rig.reactor, lambda: client.ended)
    assert rig.answers.kinds == [NO_DESCRIPTORS]


def test_certificates_are_chosen_by_name(rig: Rig) -> None:
    seen = {rig.connect(name=name).tls.getpeercert(binary_form=True) for name in ("one.example", "two.example", None)}
    assert len(seen) == 2
