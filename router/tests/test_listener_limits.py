"""Limits of what a listener accepts: while all places are taken, or few descriptors are free, it waits."""

import os
import select
import socket
from types import SimpleNamespace

import pytest
from portico.arrival import Arrival
from portico.listener import QUIET, REST, Listener
from portico.places import Places

from .support.listeners import Make, connect
from .support.reactor import HandReactor


def test_when_all_places_are_taken_it_waits_for_one(reactor: HandReactor, make_listener: Make, admitted: list[Arrival]) -> None:
    listener, places = make_listener(), Places(2, None, 1)
    listener.count_in(places)
    clients = [connect(listener.at, b"%d" % number) for number in range(4)]
    reactor.until(lambda: len(admitted) == 2)
    reactor.settle()
    assert len(admitted) == 2
    assert places.pauses == {"connections": 1}
    admitted[0].close()  # at once, without a timer
    reactor.until(lambda: len(admitted) == 3)
    assert places.pauses == {"connections": 2}
    admitted[1].close()
    reactor.until(lambda: len(admitted) == 4)
    assert sorted(arrival.preface for arrival in admitted) == [b"0", b"1", b"2", b"3"]
    for client in clients:
        client.close()


def test_what_is_given_away_at_once_takes_no_place(reactor: HandReactor, make_listener: Make, admitted: list[Arrival]) -> None:
    listener, places = make_listener(), Places(1, None, 1)
    listener.count_in(places)
    listener.admit_to(Arrival.close)
    clients = [connect(listener.at) for _ in range(5)]
    for client in clients:
        reactor.until(lambda client=client: not client.recv(1, socket.MSG_DONTWAIT) if _readable(client) else False)  # type: ignore[misc]
        client.close()
    assert not places.pauses


def _readable(client: socket.socket) -> bool:
    return bool(select.select([client], [], [], 0)[0])


def test_while_few_descriptors_are_free_it_rests(reactor: HandReactor, make_listener: Make, admitted: list[Arrival]) -> None:
    listener, places = make_listener(), Places(100, None, 1)
    listener.count_in(places)
    clients = [connect(listener.at, b"%d" % number) for number in range(3)]
    spare = os.dup(0)
    os.close(spare)
    places.ceiling = spare + 1
    reactor.until(lambda: len(admitted) == 2)
    for _ in range(5):
        reactor.settle()
        reactor.advance(REST)
    assert len(admitted) == 2
    assert places.pauses == {"descriptors": 1}  # looking again is no new pause
    admitted[0].close()
    reactor.advance(REST)
    reactor.until(lambda: len(admitted) == 3)
    for client in clients:
        client.close()


@pytest.mark.parametrize("full", [False, True])
def test_stop_at_a_limit_leaves_no_timer(
    reactor: HandReactor, make_listener: Make, admitted: list[Arrival], full: bool
) -> None:
    """Whether it rests already, or comes to the limit when it accepts the rest."""
    listener, places = make_listener(), Places(1, None, 1)
    listener.count_in(places)
    clients = [connect(listener.at) for _ in range(2)]
    if full:
        reactor.until(lambda: admitted)
        assert reactor.getDelayedCalls()
    listener.stop()
    assert len(admitted) == 1
    assert not reactor.getDelayedCalls()
    admitted[0].close()
    for client in clients:
        client.close()


def test_the_log_says_it_once_in_a_while(
    reactor: HandReactor, make_listener: Make, admitted: list[Arrival], monkeypatch: pytest.MonkeyPatch
) -> None:
    listener, places = make_listener(), Places(1, None, 1)
    listener.count_in(places)
    said: list[object] = []
    monkeypatch.setattr(Listener, "log", SimpleNamespace(warn=lambda text, **what: said.append(what["why"])))
    clients = [connect(listener.at) for _ in range(3)]
    for number in range(3):
        reactor.until(lambda number=number: len(admitted) == number + 1)  # type: ignore[misc]
        admitted[-1].close()
    assert places.pauses == {"connections": 3}
    assert said == ["connections"]
    reactor.advance(QUIET)
    clients.append(connect(listener.at))
    reactor.until(lambda: len(admitted) == 4)
    assert said == ["connections"] * 2
    for client in clients:
        client.close()
