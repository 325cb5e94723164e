"""The names of tcp servers: addresses that refuse, are silent or are gone, and checks of those that are there."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from portico.checking import Check
from portico.config import Tcp
from portico.poller import Poller
from portico.service import RoutedService
from portico.targets.lookup import RESOLVE_INTERVAL

from .support.nameservice import Names
from .support.reactor import HandReactor
from .support.ways import HEAD, TcpWays, Ways, open_of, running
from .support.wires import Logged, nobody, parse_response

NAMED = Tcp("server.test:80", keepalive="pin")


@pytest.fixture
def tcp(reactor: HandReactor, poller: Poller, logged: Logged, folder: Path) -> Iterator[Ways]:
    yield from running(TcpWays, reactor, poller, logged, folder)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    return Names(monkeypatch)


def test_an_address_that_refuses_is_passed_over(tcp: TcpWays, names: Names) -> None:
    names.addresses = [nobody(), tcp.server("alpha").at]
    service = tcp.target_of("alpha", NAMED)
    clients = [tcp.connect(HEAD) for _ in range(4)]
    for client in clients:
        assert tcp.until(client, HEAD).startswith(b"alpha ")
    assert open_of(service) == [0, 4]


def test_nobody_accepts(tcp: TcpWays, names: Names) -> None:
    names.addresses = [nobody(), nobody()]
    service = tcp.target_of("alpha", NAMED)
    client = tcp.connect(HEAD)
    tcp.hands.until(client.has_ended)
    assert parse_response(client.data)[0].status == 502
    assert open_of(service) == [0, 0]


def test_no_answer_in_time_and_then_another(tcp: TcpWays, names: Names, silent: tuple[str, int]) -> None:
    names.addresses = [silent, tcp.server("alpha").at]
    tcp.target_of("alpha", NAMED)
    client = tcp.connect(HEAD)
    tcp.hands.settle()
    tcp.hands.advance(3.1)
    assert tcp.until(client, HEAD).startswith(b"alpha ")


def test_a_name_without_an_address(tcp: TcpWays, names: Names) -> None:
    service = tcp.target_of("alpha", NAMED)
    client = tcp.connect(HEAD)
    assert service.queued == 1
    names.addresses = [tcp.server("alpha").at]
    tcp.hands.advance(RESOLVE_INTERVAL)
    assert tcp.until(client, HEAD).startswith(b"alpha ")
    names.addresses = []
    tcp.hands.advance(RESOLVE_INTERVAL)
    client.sock.send(b"live ones go on")
    tcp.until(client, b"live ones go on")
    late = tcp.connect(HEAD)
    tcp.hands.pump([RESOLVE_INTERVAL] * 3)
    tcp.hands.until(late.has_ended)
    assert parse_response(late.data)[0].status == 503
    assert names.asked >= 5


def test_a_service_that_nobody_uses_is_not_asked_for(tcp: TcpWays, names: Names) -> None:
    names.addresses = [tcp.server("alpha").at]
    service = tcp.target_of("alpha", NAMED)
    tcp.hands.pump([RESOLVE_INTERVAL] * 300)
    assert names.asked == 0
    assert (service.target.status()["state"], service.target.status()["replicas"]) == ("resting", [])
    client = tcp.connect(HEAD)
    assert tcp.until(client, HEAD).startswith(b"alpha ")
    tcp.hands.pump([RESOLVE_INTERVAL] * 300)  # a live connection keeps it in use
    assert names.asked == 301
    assert service.target.status()["state"] == ""
    client.sock.close()
    tcp.hands.until(lambda: replicas_of(service)[0]["open"] == 0)  # the server ends its side in a time of its own
    tcp.hands.pump([RESOLVE_INTERVAL] * 300)
    rested = names.asked
    assert rested < 340
    assert states_of(service) == ["resting"]
    old, names.addresses = names.addresses, [tcp.server("alpha").at]
    client = tcp.connect(HEAD)
    assert tcp.until(client, HEAD).startswith(b"alpha ")
    assert names.asked == rested + 1
    assert [replica["replica"] for replica in replicas_of(service)] == ["{}:{}".format(*names.addresses[0])]
    assert old != names.addresses


def test_a_name_that_does_not_exist(tcp: TcpWays, names: Names) -> None:
    service = tcp.target_of("alpha", NAMED)
    client = tcp.connect(HEAD)
    assert service.target.status()["state"] == "no address"
    tcp.hands.pump([0.5] * 11)
    tcp.hands.until(client.has_ended)
    assert parse_response(client.data)[0].status == 503
    asked = names.asked
    tcp.hands.pump([RESOLVE_INTERVAL] * 300)
    assert names.asked <= asked + 1
    assert service.target.status()["state"] == "resting"


def states_of(service: RoutedService) -> list[object]:
    return [replica["state"] for replica in replicas_of(service)]


def replicas_of(service: RoutedService) -> list[dict[str, object]]:
    replicas = service.target.status()["replicas"]
    assert isinstance(replicas, list)
    return replicas


CHECKED = Tcp("server.test:80", keepalive="pin", check=Check(interval=1.0, rise=2, fall=3))


def test_checks_find_who_is_down_and_who_is_up_again(tcp: TcpWays, names: Names) -> None:
    one, two = tcp.server("one"), tcp.server("two")
    names.addresses = [one.at, two.at]
    service = tcp.target_of("alpha", CHECKED)
    assert states_of(service) == ["checking", "checking"]
    waits = tcp.connect(HEAD)
    assert service.queued == 1
    tcp.until(waits, HEAD)  # as soon as the first check has ended
    assert service.queued == 0
    tcp.hands.until(lambda: states_of(service) == ["ready", "ready"])
    live = tcp.connect(HEAD)
    tcp.until(live, HEAD)
    two.end()

    def later() -> list[object]:
        tcp.hands.advance(0.7)
        return states_of(service)

    tcp.hands.until(lambda: later() == ["ready", "down"])
    for client in (waits, live):
        client.sock.send(b"live ones stay")
        tcp.until(client, b"live ones stay")
    for _ in range(4):
        assert tcp.until(tcp.connect(HEAD), HEAD).startswith(b"one ")
    again = tcp.server("two", *two.at)
    tcp.hands.until(lambda: later() == ["ready", "ready"])
    one.end()
    again.end()
    tcp.hands.until(lambda: later() == ["down", "down"])
    lost = tcp.connect(HEAD)
    tcp.hands.pump([1.0] * 6)
    tcp.hands.until(lost.has_ended)
    assert parse_response(lost.data)[0].status == 503  # down is down


def test_checks_keep_a_name_in_use(tcp: TcpWays, names: Names) -> None:
    names.addresses = [tcp.server("alpha").at]
    tcp.target_of("alpha", CHECKED)
    for _ in range(100):
        tcp.hands.advance(RESOLVE_INTERVAL)
        tcp.hands.settle()
    assert names.asked == 101


def test_a_numeric_address_is_not_asked_for(tcp: TcpWays, names: Names) -> None:
    tcp.target_of("alpha", Tcp("[::1]:80"))
    tcp.target_of("beta", Tcp("127.0.0.1:80"))
    assert names.asked == 0


@pytest.fixture
def silent() -> Iterator[tuple[str, int]]:
    """An address that neither accepts nor refuses: its queue is full."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        at = listener.getsockname()
        fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(at)
            fillers.append(filler)
        yield at
        for filler in fillers:
            filler.close()


def test_no_answer_in_time(tcp: TcpWays, silent: tuple[str, int]) -> None:
    service = tcp.target_of("alpha", Tcp("{}:{}".format(*silent), keepalive="pin", connect_timeout=3.0))
    client = tcp.connect(HEAD)
    tcp.hands.settle()
    assert open_of(service) == [1]
    tcp.hands.advance(2.9)
    assert not client.has_ended()
    tcp.hands.advance(0.2)
    tcp.hands.until(client.has_ended)
    assert parse_response(client.data)[0].status == 504
    assert open_of(service) == [0]
