"""A served connection as a record: nothing that anybody asks for later is lost; where there is more to know none is made."""

import socket
from collections.abc import Callable

import pytest
from portico.accesslog import AccessLog
from portico.arrival import Address, Arrival, HandedBack, Offered
from portico.config import Limits
from portico.core.clienthello import TlsFacts
from portico.core.head import Head, read_head
from portico.places import ClientSocket, Places
from portico.resting import NO_OTHER, Resting, can_rest, other_of, when_of
from portico.service import RoutedService

from .support.reactor import HandReactor
from .support.wires import LISTENER, Answers, Logged, as_reactor, raw

CLIENT = ("192.0.2.1", 65_535)


def served(places: Places, client: Address = CLIENT, head: Head | None = None, kind: type[Arrival] = Arrival) -> Arrival:
    arrival = kind(places.hold(socket.socket().detach()), client, LISTENER, 1.5, b"read")
    places.admit(arrival)
    arrival.head, arrival.route, arrival.decided_at = head, "/a", 1.75
    return arrival


def laid_down(arrival: Arrival) -> int:
    assert isinstance(arrival.sock, ClientSocket)
    return arrival.sock.lay_down()


def fields(arrival: Arrival) -> tuple[object, ...]:
    return (
        *(type(arrival), arrival.client, arrival.listener, arrival.since, arrival.returned, arrival.named),
        *(arrival.service, arrival.route, arrival.decided_at, arrival.waits_until, arrival.tls_facts),
    )


@pytest.mark.parametrize("client", [CLIENT, ("2001:db8::1%eth0", 0), ("", 1)])
@pytest.mark.parametrize("kind", [Arrival, Offered])
@pytest.mark.parametrize("named", [False, True])
def test_there_and_back(reactor: HandReactor, places: Places, client: Address, kind: type[Arrival], named: bool) -> None:
    resting, arrival = Resting(), served(places, client, kind=kind)
    arrival.named = arrival.returned = named
    arrival.service = RoutedService("a", Limits(), as_reactor(reactor), Answers())
    assert can_rest(arrival)
    record = resting.record(arrival, "10.0.0.1:80", 1 << 40, 7, 11.5, 42)
    assert record is not None
    assert (when_of(record), other_of(record)) == (11.5, 42)
    descriptor = laid_down(arrival)
    assert places.held == places.of(client[0]) == 1  # it counts all the while
    woken = resting.wake(descriptor, record)
    assert woken[1:] == ("10.0.0.1:80", 1 << 40, 7)
    assert fields(woken.arrival) == fields(arrival)
    assert woken.arrival.sock.fileno() == descriptor
    assert woken.arrival.preface == b""
    assert woken.arrival.head is None
    assert len(resting._facts) == 0
    woken.arrival.close()


HEADS = [
    b"GET /x HTTP/1.1\r\nHost: h\r\nA: b\r\n\r\n",
    b"PROPFIND /long/" + b"x" * 70_000 + b" HTTP/1.0\r\nA: b\r\nhOsT:h:8080\t\r\nHost: second\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nX-Host: no\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost:\r\n\r\n",
    b"A /\xff HTTP/1.1\r\nhost: \xe9\r\n\r\n",
    None,
]


@pytest.mark.parametrize("wire", HEADS)
def test_the_access_log_says_the_same(reactor: HandReactor, places: Places, wire: bytes | None) -> None:
    resting, arrival = Resting(), served(places, head=None if wire is None else read_head(wire))
    assert (arrival.head is None) == (wire is None)
    before, after = Logged(reactor), Logged(reactor)
    log(before.log, arrival)
    record = resting.record(arrival, "", 3, 4, 0.0)
    assert record is not None
    assert other_of(record) == NO_OTHER
    woken = resting.wake(laid_down(arrival), record).arrival
    log(after.log, woken)
    (line,), (again,) = before.lines, after.lines
    assert {**line, "time": ""} == {**again, "time": ""}
    assert before.log.measures.through.keys() == after.log.measures.through.keys()
    woken.close()


def log(access: AccessLog, arrival: Arrival) -> None:
    access.tunnel_ended(arrival, "10.0.0.1:80", "--", 3, 4)


def test_what_many_have_in_common_is_held_once(places: Places) -> None:
    resting, records = Resting(), {}
    for port in range(20):
        arrival = served(places, ("192.0.2.1", port))
        record = resting.record(arrival, "one" if port % 2 else "other", 0, 0, 0.0)
        assert record is not None
        records[laid_down(arrival)] = record
    assert len(resting._facts) == 2
    for port, (descriptor, record) in enumerate(records.items()):
        woken = resting.wake(descriptor, record)
        assert (woken.arrival.client[1], woken.server) == (port, "one" if port % 2 else "other")
        woken.arrival.close()
    assert len(resting._facts) == 0


def test_who_does_not_count_as_a_client_does_not_later(places: Places) -> None:
    resting, arrival = Resting(), Arrival(places.hold(socket.socket().detach()), CLIENT, LISTENER, 0.0)
    record = resting.record(arrival, "", 0, 0, 0.0)
    assert record is not None
    woken = resting.wake(laid_down(arrival), record).arrival
    assert (places.held, places.of(CLIENT[0])) == (1, 0)
    woken.close()


def uncounted(places: Places) -> Arrival:
    return Arrival(raw(socket.socket()), CLIENT, LISTENER, 0.0)


def handed_back(places: Places) -> Arrival:
    return served(places, kind=HandedBack)


def with_tls(places: Places) -> Arrival:
    arrival = served(places)
    arrival.tls_facts = TlsFacts(b"h", ())
    return arrival


@pytest.mark.parametrize("make", [uncounted, handed_back, with_tls])
def test_others_stay_what_they_are(places: Places, make: Callable[[Places], Arrival]) -> None:
    arrival = make(places)
    assert not can_rest(arrival)
    arrival.close()


def test_a_host_field_without_end(places: Places) -> None:
    arrival = served(places, head=Head(b"GET", b"/", 1, b"Host: " + b"h" * 65_530 + b"\r\n", 0))
    resting = Resting()
    assert resting.record(arrival, "", 0, 0, 0.0) is None
    assert len(resting._facts) == 0
    arrival.close()
