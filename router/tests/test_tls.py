"""TLS that ends in the router: real handshakes, both directions, ends of all kinds, bounds."""

import ssl
from collections.abc import Iterator

import pytest
from portico.arrival import Arrival
from portico.certificates import Certificates
from portico.core.answers import CROWDED, HANDSHAKE_TIMEOUT, LEFT, NO_HANDSHAKE
from portico.core.clienthello import TlsFacts
from portico.poller import Poller

from .support.reactor import HandReactor
from .support.tlsclient import TlsClient, trusting
from .support.tlsrig import HANDSHAKE_TIME, MOST, Rig, staged
from .support.wires import LISTENER, Answers, Inbox, reset, tcp_pair


@pytest.fixture
def rig(reactor: HandReactor, poller: Poller, answers: Answers, certificates: Certificates) -> Iterator[Rig]:
    yield from staged(reactor, poller, answers, certificates)


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
