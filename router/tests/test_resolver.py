"""Names are asked for in threads that hold nobody up, each name once at a time, and so many at once."""

import socket
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from portico.arrival import Address
from portico.targets.resolver import AT_ONCE, Resolver, in_thread

from .support.reactor import HandReactor
from .support.wires import as_reactor


class Asked:
    """What was found, in order."""

    def __init__(self) -> None:
        self.found: list[tuple[str, list[Address], str]] = []

    def told(self, called: str) -> Callable[[list[Address], str], None]:
        return lambda addresses, why: self.found.append((called, addresses, why))


@pytest.fixture
def asked() -> Asked:
    return Asked()


@pytest.fixture
def held(reactor: HandReactor) -> tuple[Resolver, list[Callable[[], None]]]:
    """A resolver whose threads do not come to run until the test runs them."""
    threads: list[Callable[[], None]] = []
    return Resolver(as_reactor(reactor), threads.append), threads


def test_all_addresses_each_with_the_port(reactor: HandReactor, asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    def find(host: str, port: int, family: int, kind: int) -> list[Any]:
        assert (host, port, family, kind) == ("app", 80, 0, socket.SOCK_STREAM)
        return [
            (socket.AF_INET, kind, 6, "", ("10.0.0.1", port)),
            (socket.AF_INET6, kind, 6, "", ("2001:db8::1", port, 0, 0)),
        ]

    monkeypatch.setattr(socket, "getaddrinfo", find)
    Resolver(as_reactor(reactor), lambda call: call()).find(("app", 80), asked.told("a"))
    assert asked.found == [("a", [("10.0.0.1", 80), ("2001:db8::1", 80)], "")]


@pytest.mark.parametrize("host", ["a..b", "x" * 64 + ".test", "\udcff"])
def test_a_name_that_is_none(reactor: HandReactor, asked: Asked, host: str) -> None:
    Resolver(as_reactor(reactor), lambda call: call()).find((host, 80), asked.told("a"))
    ((_, addresses, why),) = asked.found
    assert addresses == []
    assert why


def test_a_name_is_asked_for_once_whoever_wants_it(held: tuple[Resolver, list[Callable[[], None]]], asked: Asked) -> None:
    resolver, threads = held
    for called in "abc":
        resolver.find(("127.0.0.1", 80), asked.told(called))
    resolver.find(("127.0.0.1", 81), asked.told("other port"))
    assert len(threads) == 2
    threads[0]()
    assert asked.found == [(called, [("127.0.0.1", 80)], "") for called in "abc"]
    resolver.find(("127.0.0.1", 80), asked.told("later"))
    assert len(threads) == 3


def test_one_that_hangs_does_not_hold_up_the_others(held: tuple[Resolver, list[Callable[[], None]]], asked: Asked) -> None:
    resolver, threads = held
    resolver.find(("127.0.0.1", 1), asked.told("hangs"))
    resolver.find(("127.0.0.1", 2), asked.told("answers"))
    threads[1]()
    assert [called for called, *_ in asked.found] == ["answers"]
    for _ in range(5):
        resolver.find(("127.0.0.1", 1), asked.told("hangs"))
    assert len(threads) == 2  # it hangs once


def test_so_many_at_once(held: tuple[Resolver, list[Callable[[], None]]], asked: Asked) -> None:
    resolver, threads = held
    for port in range(AT_ONCE + 2):
        resolver.find(("127.0.0.1", port), asked.told(str(port)))
    assert len(threads) == AT_ONCE
    threads[5]()
    assert len(threads) == AT_ONCE + 1
    for thread in threads[6:]:
        thread()
    assert len(threads) == AT_ONCE + 2
    threads[-1]()
    assert {called for called, *_ in asked.found} == {str(port) for port in range(5, AT_ONCE + 2)}


def test_without_a_thread_to_be_had(reactor: HandReactor, asked: Asked) -> None:
    def refuse(call: Callable[[], None]) -> None:
        raise RuntimeError("can't start new thread")

    resolver = Resolver(as_reactor(reactor), refuse)
    for _ in range(AT_ONCE + 1):
        resolver.find(("127.0.0.1", 80), asked.told("a"))
    assert asked.found == [("a", [], "can't start new thread")] * (AT_ONCE + 1)


def test_a_thread_that_nobody_waits_for() -> None:
    ran: list[threading.Thread] = []
    done = threading.Event()

    def call() -> None:
        ran.append(threading.current_thread())
        done.set()

    in_thread(call)
    assert done.wait(10)
    assert ran[0] is not threading.current_thread()
    assert ran[0].daemon


def test_asking_again_from_the_answer(reactor: HandReactor) -> None:
    resolver = Resolver(as_reactor(reactor), lambda call: call())
    answers: list[list[Address]] = []

    def found(times: int, addresses: list[Address], why: str) -> None:
        answers.append(addresses)
        if times:
            resolver.find(("127.0.0.1", 80), partial(found, times - 1))

    resolver.find(("127.0.0.1", 80), partial(found, 2))
    assert answers == [[("127.0.0.1", 80)]] * 3
