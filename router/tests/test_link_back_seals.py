"""What the kernel does not know of a connection comes back sealed, or is not believed. `docs/security.md` has the list."""

from collections.abc import Callable

import pytest
from portico.core.answers import STRANGE
from portico.link import Link
from svckit.handoff.codec import Connection, Tls

from .support.backs import back, sealed
from .support.linkrig import FORGED, HandReplica, Owner
from .support.reactor import HandReactor
from .support.wires import tcp_pair


@pytest.mark.parametrize("tls", [False, True])
def test_what_the_kernel_does_not_know_comes_back_sealed(
    reactor: HandReactor, replica: HandReplica, ready: Link, owner: Owner, tls: bool
) -> None:
    client, message, descriptor = sealed(reactor, replica, ready, tls)
    replica.send(message._replace(number=1, unread=b"GET /next"), descriptor)
    reactor.settle()
    (arrival,) = back(owner)
    assert arrival.doubt is None
    assert (arrival.client, arrival.preface) == (("192.0.2.7", 7), b"GET /next")
    assert arrival.tls == (Tls("one.example", "http/1.1") if tls else None)
    client.close()


FORGERIES: dict[str, Callable[[Connection], Connection]] = {
    "client": lambda message: message._replace(client=FORGED),
    "listener": lambda message: message._replace(listener=("192.0.2.1", 443)),
    "name": lambda message: message._replace(tls=Tls("other.example", "http/1.1")),
    "protocol": lambda message: message._replace(tls=Tls("one.example", "h2")),
    "no tls": lambda message: message._replace(tls=None),
    "seal": lambda message: message._replace(seal=bytes(16)),
    "short seal": lambda message: message._replace(seal=message.seal[:-1]),
    "long seal": lambda message: message._replace(seal=message.seal + b"\0"),
}


@pytest.mark.parametrize("forgery", FORGERIES.values(), ids=FORGERIES)
def test_forged_facts_are_not_routed(
    reactor: HandReactor,
    replica: HandReplica,
    ready: Link,
    owner: Owner,
    forgery: Callable[[Connection], Connection],
) -> None:
    client, message, descriptor = sealed(reactor, replica, ready, tls=True)
    replica.send(forgery(message)._replace(number=1), descriptor)
    reactor.settle()
    assert [each.doubt for each in back(owner)] == [STRANGE]
    client.close()


def test_a_seal_holds_for_one_socket(reactor: HandReactor, replica: HandReplica, ready: Link, owner: Owner) -> None:
    client, message, _ = sealed(reactor, replica, ready, tls=True)
    other, accepted = tcp_pair()
    replica.send(message._replace(number=1), accepted.fileno())
    reactor.settle()
    assert [each.doubt for each in back(owner)] == [STRANGE]
    for each in (client, other, accepted):
        each.close()


def test_without_its_seal_a_proxied_client_is_its_proxy(
    reactor: HandReactor, replica: HandReplica, ready: Link, owner: Owner
) -> None:
    client, message, descriptor = sealed(reactor, replica, ready, tls=False)
    replica.send(message._replace(number=1, seal=b"", client=FORGED), descriptor)
    reactor.settle()
    assert [each.client for each in back(owner)] == [client.getsockname()]
    client.close()
