"""Seals: which router knows which, and what they are made over. What replicas can try is in `test_link_back_trust.py`."""

import ctypes
import os
import socket

import pytest
from portico.arrival import HandedBack, RawSocket
from portico.core.answers import LEFT, STRANGE
from portico.provenance import SEAL_SIZE, Provenance, key_from
from svckit.handoff.codec import Connection, Tls

from .support.wires import LISTENER, arrive, raw, tcp_pair

LIBC = ctypes.CDLL(None)
HEAD = b"GET /static/x HTTP/1.1\r\n\r\n"


def test_only_what_the_kernel_does_not_know_is_sealed() -> None:
    client, arrival = arrive(HEAD)
    provenance = Provenance("static", b"key")
    assert provenance.seal(arrival) == b""
    arrival.named = True
    by_proxy = provenance.seal(arrival)
    arrival.learn_tls(Tls("one.example", ""))
    by_tls = provenance.seal(arrival)
    assert len(by_proxy) == len(by_tls) == SEAL_SIZE
    assert by_proxy != by_tls
    client.close()
    arrival.close()


@pytest.mark.parametrize(
    ("service", "key", "known"), [("static", b"key", True), ("static", b"another", False), ("uploads", b"key", False)]
)
def test_another_router_knows_it_by_the_same_key(service: str, key: bytes, known: bool) -> None:
    """And what was sealed for one service is nothing for another."""
    client, arrival = arrive(HEAD)
    arrival.client, arrival.named = ("2001:db8::7", 7), True
    seal = Provenance("static", b"key").seal(arrival)
    descriptor = arrival.sock.detach()
    message = Connection(1, arrival.client, arrival.listener, HEAD, None, seal)
    back = Provenance(service, key).recognise(message, descriptor, 1.0)
    assert back.doubt == (None if known else STRANGE)
    if known:
        assert (back.client, back.listener, back.since) == (("2001:db8::7", 7), LISTENER, 1.0)
    client.close()
    back.close()


def test_the_key_comes_from_the_environment_or_is_drawn() -> None:
    assert key_from({"PORTICO_SEAL_KEY": "secret"}) == key_from({"PORTICO_SEAL_KEY": "secret"})
    assert key_from({"PORTICO_SEAL_KEY": "secret"}) != key_from({"PORTICO_SEAL_KEY": "other"})
    assert key_from({}) != key_from({})
    assert {len(key_from({})), len(key_from({"PORTICO_SEAL_KEY": ""})), len(key_from({"PORTICO_SEAL_KEY": "x" * 999}))} == {32}


def test_the_network_of_what_was_given_first_may_come_back() -> None:
    """A listener that was made elsewhere and passed to the router, say."""
    provenance = Provenance("static", b"key")
    provenance._networks.clear()
    client, accepted = tcp_pair()
    message = Connection(1, ("192.0.2.1", 1), LISTENER, HEAD)
    strange = provenance.recognise(message, accepted.fileno(), 0.0)
    assert strange.doubt == STRANGE
    strange.sock.detach()
    provenance.learn_network(accepted)
    known = provenance.recognise(message, accepted.fileno(), 0.0)
    assert known.doubt is None
    known.close()
    accepted.detach()
    client.close()


def back_again(provenance: Provenance, accepted: RawSocket) -> HandedBack:
    """The same socket is handed back once more, and let go of by the router."""
    back = provenance.recognise(Connection(1, ("192.0.2.1", 1), LISTENER, HEAD), os.dup(accepted.fileno()), 0.0)
    back.close()
    return back


def test_what_cannot_change_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    provenance = Provenance("static", b"key")
    client, accepted = tcp_pair()
    first = back_again(provenance, accepted)
    monkeypatch.setattr(provenance, "_look", None)  # would be called, were it asked again
    second = back_again(provenance, accepted)
    assert (second.doubt, second.client, second.listener) == (None, client.getsockname(), client.getpeername())
    assert (first.client, first.listener) == (second.client, second.listener)
    client.close()
    accepted.close()


def test_who_is_at_the_other_end_is_asked_each_time() -> None:
    """A service can break a connection off, and make another one of the same socket."""
    provenance = Provenance("static", b"key")
    client, accepted = tcp_pair()
    assert back_again(provenance, accepted).client == client.getsockname()
    client.close()
    with socket.socket() as still:
        still.bind(("127.0.0.1", 0))
        still.listen()
        assert LIBC.connect(accepted.fileno(), bytes(16), 16) == 0  # AF_UNSPEC
        assert back_again(provenance, accepted).doubt == LEFT
        accepted.connect(still.getsockname())
        other = back_again(provenance, accepted)
        assert (other.doubt, other.client) == (None, still.getsockname())
    accepted.close()


def test_with_another_client_its_own_address_is_another_too() -> None:
    """A listener on all addresses leaves the socket free to take any when it connects anew."""
    provenance = Provenance("static", b"key")
    with socket.create_server(("", 0)) as listener, socket.create_server(("127.0.0.1", 0)) as still:
        client = socket.create_connection(("127.0.0.1", listener.getsockname()[1]), timeout=5)
        accepted = raw(listener.accept()[0])
        assert back_again(provenance, accepted).listener == client.getpeername()
        assert LIBC.connect(accepted.fileno(), bytes(16), 16) == 0  # AF_UNSPEC
        accepted.bind(("127.0.0.2", 0))
        accepted.connect(still.getsockname())
        other = back_again(provenance, accepted)
        assert (other.doubt, other.client, other.listener) == (None, still.getsockname(), accepted.getsockname())
    client.close()
    accepted.close()


def test_one_that_is_known_is_known_by_its_cookie_only() -> None:
    """Another socket with the same number, or a local one, is asked about."""
    provenance = Provenance("static", b"key")
    client, accepted = tcp_pair()
    back_again(provenance, accepted)
    ours, theirs = socket.socketpair()
    os.dup2(ours.fileno(), accepted.fileno())
    assert back_again(provenance, accepted).doubt == STRANGE
    for sock in (client, accepted, ours, theirs):
        sock.close()


def test_those_that_are_known_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portico.provenance.KNOWN", 2)
    provenance = Provenance("static", b"key")
    pairs = [tcp_pair() for _ in range(3)]
    for _, accepted in pairs:
        assert back_again(provenance, accepted).doubt is None
    assert len(provenance._known) == 1
    for client, accepted in pairs:
        assert back_again(provenance, accepted).client == client.getsockname()
        client.close()
        accepted.close()
