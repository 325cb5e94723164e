"""Where looking at a connection fails, no trace of it stays: no record, no place, no descriptor."""

import gc
import socket
from contextlib import ExitStack

import pytest
from portico.arrival import Arrival
from portico.config import Limits
from portico.patience import Patience, Waiter
from portico.places import Places
from portico.poller import Poller

from .support.reactor import HandReactor
from .support.wires import LISTENER, Answers, as_reactor, tcp_pair, wait


def test_one_that_fails_to_make_room(
    reactor: HandReactor, poller: Poller, answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that wants its place fails with it."""
    places = Places(1 << 20, None, 1)
    patience = Patience(Limits(waiting=2), poller, as_reactor(reactor), answers)  # type: ignore[arg-type]
    clients: list[socket.socket] = []

    def come() -> None:
        client, ours = tcp_pair()
        clients.append(client)
        arrival = Arrival(places.hold(ours.detach()), client.getsockname(), LISTENER, reactor.seconds(), b"GE")
        places.admit(arrival)
        wait(patience, arrival)

    def fail(waiter: Waiter) -> None:
        raise RuntimeError("as planned")

    come()
    come()
    with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="as planned"):
        patch.setattr(Waiter, "make_room", fail)
        come()
    gc.collect()
    assert len(patience) == places.held == places.of("127.0.0.1") == 1
    with ExitStack() as stack:
        for client in clients:
            stack.enter_context(client)
        assert [clients[0].recv(1), clients[2].recv(1)] == [b"", b""]
        patience.close()
    assert places.held == 0
