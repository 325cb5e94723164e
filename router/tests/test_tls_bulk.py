"""Much data over TLS that ends in the router, while one side is slow."""

import hashlib
from collections.abc import Iterator
from contextlib import suppress

import pytest
from portico.certificates import Certificates
from portico.poller import Poller

from .support.reactor import HandReactor
from .support.tlsrig import BODY, HELD, KERNEL, Rig, held, staged
from .support.wires import Answers

TIMES = 24


@pytest.fixture
def rig(reactor: HandReactor, poller: Poller, answers: Answers, certificates: Certificates) -> Iterator[Rig]:
    yield from staged(reactor, poller, answers, certificates)


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
