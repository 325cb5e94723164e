"""Listeners of a test, who comes to them, and what they let through."""

import socket
from collections.abc import Callable, Iterator

import pytest
from portico.arrival import Address, Arrival
from portico.listener import Listener
from portico.poller import Poller

from .reactor import HandReactor
from .wires import as_reactor

HEAD = b"GET / HTTP/1.1\r\n\r\n"
Make = Callable[..., Listener]


@pytest.fixture
def admitted() -> Iterator[list[Arrival]]:
    """Where the arrivals of a test are put, which are closed in the end."""
    arrivals: list[Arrival] = []
    yield arrivals
    for arrival in arrivals:
        arrival.close()


@pytest.fixture
def make_listener(reactor: HandReactor, poller: Poller, admitted: list[Arrival]) -> Iterator[Make]:
    """Makes listeners that admit to `admitted`, and stops them in the end."""
    made: list[Listener] = []

    def make(at: Address = ("127.0.0.1", 0), head_size: int = 16_384) -> Listener:
        listener = Listener(at, head_size, poller, as_reactor(reactor), admitted.append)
        made.append(listener)
        listener.start()
        return listener

    yield make
    for listener in made:
        listener.stop()


def connect(at: Address, data: bytes = HEAD) -> socket.socket:
    client = socket.create_connection(at, timeout=5)
    if data:
        client.sendall(data)
    return client
