"""A connection as a record: nothing of it is lost, and where there is more to know, none is made."""

import socket
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from portico.arrival import Arrival, HandedBack, Offered
from portico.config import Limits
from portico.core.clienthello import TlsFacts
from portico.core.preface import Preface
from portico.dormant import LISTENERS, Dormant, due_of, since_of
from portico.places import Places
from portico.service import RoutedService

from .support.reactor import HandReactor
from .support.wires import Answers, as_reactor, raw

AT = ("127.0.0.1", 80)
CLIENT = ("192.0.2.1", 65_535)


def arrive(places: Places, client: tuple[str, int] = CLIENT, data: bytes = b"GE") -> Arrival:
    arrival = Arrival(places.hold(socket.socket().detach()), client, AT, 1.5, data)
    places.admit(arrival)
    return arrival


def preface_of(arrival: Arrival) -> Preface:
    return Preface(arrival.preface, arrival.client, limit=300, most_fields=9, returned=arrival.returned)


@pytest.mark.parametrize("client", [CLIENT, ("2001:db8::1%eth0", 0), ("", 1)])
@pytest.mark.parametrize("data", [b"", b"G", b"GET / HTTP/1.1\r\nA: b"])
@pytest.mark.parametrize("named", [False, True])
def test_there_and_back(places: Places, client: tuple[str, int], data: bytes, named: bool) -> None:
    dormant = Dormant()
    arrival = arrive(places, client or CLIENT, data)
    arrival.named = named
    preface = preface_of(arrival)
    assert preface.head is None
    descriptor = arrival.sock.fileno()
    record = dormant.lay_down(arrival, preface, 11.5)
    assert record is not None
    assert (due_of(record), since_of(record)) == (11.5, 1.5)
    assert arrival.sock.fileno() == -1
    assert (places.held, places.of(client[0])) == (1, 1)  # it counts all the while
    woken, again = dormant.wake(descriptor, record)
    assert woken.sock.fileno() == descriptor
    assert (woken.client, woken.listener, woken.since, woken.preface, woken.named) == (client, AT, 1.5, data, named)
    assert (again.data, again.client, again.limits, again.place) == (data, client, (300, 9), preface.place)
    assert dormant.lay_down(woken, again, 11.5) == record
    dormant.wake(descriptor, record)[0].close()


def test_who_does_not_count_as_a_client_does_not_later(places: Places) -> None:
    """A trusted sender that speaks for itself."""
    dormant = Dormant()
    arrival = Arrival(places.hold(socket.socket().detach()), CLIENT, AT, 0.0)
    descriptor = arrival.sock.fileno()
    record = dormant.lay_down(arrival, preface_of(arrival), 1.0)
    assert record is not None
    woken, _ = dormant.wake(descriptor, record)
    assert (places.held, places.of(CLIENT[0])) == (1, 0)
    woken.close()


def shared(kind: type[Arrival]) -> Callable[[Places], Arrival]:
    def make(places: Places) -> Arrival:
        return kind(places.hold(socket.socket().detach()), CLIENT, AT, 0.0, b"GE", False)

    return make


def uncounted(places: Places) -> Arrival:
    return Arrival(raw(socket.socket()), CLIENT, AT, 0.0, b"GE")


@pytest.mark.parametrize("make", [uncounted, shared(Offered), shared(HandedBack)])
def test_others_stay_what_they_are(places: Places, make: Callable[[Places], Arrival]) -> None:
    arrival = make(places)
    assert Dormant().lay_down(arrival, preface_of(arrival), 1.0) is None
    assert arrival.sock.fileno() >= 0
    arrival.close()


def with_tls(arrival: Arrival, reactor: HandReactor) -> None:
    arrival.tls_facts = TlsFacts(b"h", (b"http/1.1",))


def with_service(arrival: Arrival, reactor: HandReactor) -> None:
    arrival.service = RoutedService("a", Limits(), as_reactor(reactor), Answers())


def with_route(arrival: Arrival, reactor: HandReactor) -> None:
    arrival.route = "/a"


def with_return(arrival: Arrival, reactor: HandReactor) -> None:
    arrival.returned = True


def with_a_long_name(arrival: Arrival, reactor: HandReactor) -> None:
    arrival.client = "h" * 256, 1


@pytest.mark.parametrize("more", [with_tls, with_service, with_route, with_return, with_a_long_name])
def test_of_which_more_is_known(reactor: HandReactor, places: Places, more: Callable[[Arrival, HandReactor], None]) -> None:
    arrival = arrive(places)
    more(arrival, reactor)
    assert Dormant().lay_down(arrival, preface_of(arrival), 1.0) is None
    arrival.close()


def test_a_client_hello_under_way_is_more(places: Places) -> None:
    arrival = arrive(places, data=b"\x16\x03")
    preface = preface_of(arrival)
    assert preface.place == (0, False)  # nobody has looked
    assert preface.tls is preface.more
    assert Dormant().lay_down(arrival, preface, 1.0) is None
    arrival.close()


@pytest.mark.parametrize("data", [b"", b"G"])
def test_no_client_hello_is_not(data: bytes) -> None:
    preface = Preface()
    assert preface.tls is preface.more
    preface.add(data)
    assert preface.tls in (preface.more, preface.tls)
    assert preface.place == (0, False)


def test_so_many_listeners_can_be_named(places: Places) -> None:
    dormant = Dormant()
    for number in range(LISTENERS + 1):
        arrival = arrive(places)
        arrival.listener = "192.0.2.9", number
        descriptor = arrival.sock.fileno()
        record = dormant.lay_down(arrival, preface_of(arrival), 1.0)
        assert (record is None) == (number == LISTENERS)
        if record is not None:
            arrival, _ = dormant.wake(descriptor, record)
            assert arrival.listener == ("192.0.2.9", number)
        arrival.close()


@given(st.binary(max_size=80), st.lists(st.integers(1, 40), max_size=12))
def test_a_head_read_with_rests_in_between_is_read_the_same(tail: bytes, sizes: list[int]) -> None:
    data = b"GET /x HTTP/1.1\r\nHost: h\r\n" + tail + b"\r\n\r\n"
    whole, rests = Preface(limit=90), Preface(limit=90)
    at = 0
    for size in [*sizes, len(data)]:
        piece, at = data[at : at + size], at + size
        whole.add(piece)
        rests.add(piece)
        assert rests.head == whole.head
        assert rests.more == whole.more
        place = rests.place
        if place is None:
            assert whole.head is not None
            break
        rests = Preface(rests.data, limit=90, place=place)
