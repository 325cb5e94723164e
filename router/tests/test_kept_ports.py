"""Listeners on ports that a keeper lends: what waits in them outlives a listener, and a reload borrows what is new."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from portico.application import Application
from portico.arrival import Arrival
from portico.config import Config, parse
from portico.kept import Kept
from portico.listener import Listener
from portico.poller import Poller

from .support.keepers import AT, Running, turning
from .support.reactor import HandReactor
from .support.wires import as_reactor


@pytest.fixture
def running(folder: Path) -> Iterator[Running]:
    yield from turning(folder)


def listener(kept: Kept, reactor: HandReactor, poller: Poller, seen: list[bytes]) -> Listener:
    def admit(arrival: Arrival) -> None:
        seen.append(arrival.preface)
        arrival.close()

    made = Listener(AT, 1_000, poller, as_reactor(reactor), admit, kept)
    made.start()
    return made


def ask(at: tuple[str, int], data: bytes) -> socket.socket:
    client = socket.create_connection(at, timeout=5)
    client.send(data)
    return client


def test_what_waits_when_a_listener_stops_is_the_next_one_s(running: Running, reactor: HandReactor, poller: Poller) -> None:
    seen: list[bytes] = []
    with Kept(running.address) as one, Kept(running.address) as two:
        first = listener(one, reactor, poller, seen)
        waiting = ask(first.at, b"waits")
        first.stop()  # before the reactor has turned: nobody has accepted it
        first.stop()
        assert seen == []
        late = ask(first.at, b"late")  # nobody listens just now, and it is not refused
        second = listener(two, reactor, poller, seen)
        assert second.at == first.at
        reactor.until(lambda: sorted(seen) == [b"late", b"waits"])
        second.stop()
        for client in (waiting, late):
            client.close()


def test_without_the_keeper_what_waits_is_the_listener_s_own(running: Running, reactor: HandReactor, poller: Poller) -> None:
    seen: list[bytes] = []
    with Kept(running.address) as kept:
        made = listener(kept, reactor, poller, seen)
        client = ask(made.at, b"waits")
        running.close()
        made.stop()
        assert seen == [b"waits"]
        with pytest.raises(ConnectionRefusedError):
            ask(made.at, b"too late")
        client.close()


def test_a_listener_that_was_stopped_may_come_again(running: Running, reactor: HandReactor, poller: Poller) -> None:
    """As at a reload that takes an address out and another one that brings it back."""
    seen: list[bytes] = []
    with Kept(running.address) as kept:
        for _ in range(3):
            made = listener(kept, reactor, poller, seen)
            client = ask(made.at, b"x")
            reactor.until(lambda: seen)
            seen.clear()
            made.stop()
            client.close()


CONFIG = """
listeners = [%s]
routes = [{prefix = "/", service = "web"}]
services.web = {target = "tcp", address = "127.0.0.1:9"}
limits.drain_time = 1.0
"""


def config(*addresses: str) -> Config:
    return parse(CONFIG % ", ".join(f'{{address = "{address}"}}' for address in addresses))


def test_a_reload_borrows_what_is_new_and_leaves_what_is_gone(running: Running, reactor: HandReactor) -> None:
    with socket.create_server(AT) as taken, Kept(running.address) as kept:
        application = Application(config("127.0.0.1:0"), as_reactor(reactor), None, kept)
        application.privilegedStartService()
        application.startService()

        def used() -> list[str]:
            kept._ask("seed", "seed ")  # all that was said before is heard by then
            return [name for name, held in running.keeper._held.items() if held.users]

        assert used() == ["127.0.0.1:0"]
        (first,) = application.addresses
        application.reload(config("127.0.0.2:0", "127.0.0.1:0"))
        assert used() == ["127.0.0.1:0", "127.0.0.2:0"]
        assert application.addresses[1] == first
        application.reload(config("127.0.0.2:0"))
        assert used() == ["127.0.0.2:0"]
        for bad in (["127.0.0.3:0", "{}:{}".format(*taken.getsockname())], ["127.0.0.2:0", "127.0.0.3:0", "127.0.0.3:0"]):
            with pytest.raises(OSError, match="cannot listen on"):
                application.reload(config(*bad))
            assert used() == ["127.0.0.2:0"]  # what it had got before the mistake is given back
        application.stopService()
        assert used() == []
        socket.create_connection(first, 5).close()  # kept for the next router
        reactor.pump([1.0] * 5)
