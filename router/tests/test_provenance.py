"""Seals: which router knows which, and what they are made over. What replicas can try is in `test_link_back_trust.py`."""

import pytest
from portico.core.answers import STRANGE
from portico.provenance import SEAL_SIZE, Provenance, key_from
from svckit.handoff.codec import Connection, Tls

from .support.wires import LISTENER, arrive, tcp_pair

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
