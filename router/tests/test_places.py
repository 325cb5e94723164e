"""The count of what is held: it hangs on the sockets, so it comes down with them, whatever is done."""

import socket
from _socket import socket as RawSocket
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from portico import places as module
from portico.arrival import Arrival
from portico.core.clienthello import TlsFacts
from portico.places import SHARE, ClientSocket, Places, TwistedClientSocket, uncounted

AT = ("127.0.0.1", 80)
ANY = 1 << 40


def descriptor() -> int:
    return socket.socket().detach()


def arrive(places: Places, host: str = "192.0.2.1") -> Arrival:
    return Arrival(places.hold(descriptor()), (host, 5), AT, 0.0)


@pytest.fixture
def places() -> Iterator[Places]:
    places = Places(3, 2, 1)
    yield places
    assert places.held == 0
    assert not places._clients


def test_it_counts_until_it_is_closed(places: Places) -> None:
    first, second = arrive(places), arrive(places)
    assert places.held == 2
    assert places.of("192.0.2.1") == 0  # it is not known yet whose they are
    assert places.admit(first)
    assert places.of("192.0.2.1") == 1
    first.close()
    first.close()
    assert (places.held, places.of("192.0.2.1")) == (1, 0)
    second.close()


def test_a_client_has_so_many_and_others_do_not_suffer(places: Places) -> None:
    arrivals = [arrive(places, host) for host in ("192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.2")]
    assert [places.admit(each) for each in arrivals] == [True, True, False, True]
    arrivals[0].close()
    assert places.admit(arrivals[2])
    for each in arrivals:
        each.close()


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("fe80::1%eth0", "fe80::2%eth1", True),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("::ffff:192.0.2.1", "192.0.2.2", False),
        ("192.0.2.1", "192.0.2.2", False),
    ],
)
def test_what_is_one_client(places: Places, one: str, other: str, same: bool) -> None:
    arrival = arrive(places, one)
    assert places.admit(arrival)
    assert places.of(other) == int(same)
    arrival.close()


def test_who_is_asked_of_clients_that_come_again_costs_no_parsing() -> None:
    module._who.cache_clear()
    for _ in range(3):
        module._who("2001:db8::1")
    assert module._who.cache_info().hits == 2
    assert module._who.cache_info().maxsize is not None  # and clients without end cost no memory


def test_twisted_has_it_and_it_goes_on_counting(places: Places) -> None:
    arrival = arrive(places)
    places.admit(arrival)
    adopted = arrival.as_socket()
    assert isinstance(adopted, TwistedClientSocket)
    assert arrival.sock.fileno() < 0
    arrival.close()
    assert (places.held, places.of("192.0.2.1")) == (1, 1)
    adopted.close()
    adopted.close()
    assert places.held == 0


def test_what_is_detached_has_left(places: Places) -> None:
    arrival, other = arrive(places), arrive(places)
    places.admit(arrival)
    socket.socket(fileno=arrival.sock.detach()).close()
    assert (places.held, places.of("192.0.2.1")) == (1, 0)
    adopted = other.as_socket()
    socket.socket(fileno=adopted.detach()).close()
    adopted.close()


def test_a_hand_back_counts_and_is_let_in_whatever_the_limits_say(places: Places) -> None:
    back = [Arrival(uncounted(descriptor()), ("192.0.2.1", 5), AT, 0.0, returned=True) for _ in range(4)]
    for each in back:
        places.take_back(each)
    assert (places.held, places.of("192.0.2.1")) == (4, 4)
    places.take_back(back[0])  # one that has never left
    assert places.held == 4
    late = arrive(places)
    assert not places.admit(late)
    for each in (*back, late):
        each.close()


def test_the_plain_side_of_tls_is_no_clients_socket(places: Places) -> None:
    back = Arrival(uncounted(descriptor()), ("192.0.2.1", 5), AT, 0.0, returned=True)
    back.tls_facts = TlsFacts(None, ())
    places.take_back(back)
    assert places.held == 0
    back.close()


def test_those_who_wait_for_room_are_told_once(places: Places) -> None:
    told: list[int] = []
    arrivals = [arrive(places) for _ in range(3)]
    assert places.why_not(0) == "connections"
    places.when_room(lambda: told.append(places.held))
    arrivals.append(arrive(places))
    arrivals.pop().close()
    assert not told
    arrivals.pop().close()
    assert told == [2]
    assert places.why_not(0) == ""
    arrivals.pop().close()
    assert told == [2]
    arrivals.pop().close()


def test_limits_may_change_under_what_is_held(places: Places) -> None:
    told: list[str] = []
    arrivals = [arrive(places) for _ in range(3)]
    for each in arrivals[:2]:
        places.admit(each)
    places.when_room(lambda: told.append("room"))
    places.follow(2, 1, 1)
    assert not told
    assert not places.admit(arrivals[2])
    places.follow(4, None, 1)
    assert told == ["room"]
    assert places.admit(arrivals[2])
    places.when_room(lambda: told.append("lifted"))
    places.lift()
    assert told == ["room", "lifted"]
    assert places.why_not(1 << 40) == ""
    for each in arrivals:
        each.close()


@pytest.mark.parametrize(
    ("soft", "reserved", "ceiling"),
    [(1024, 128, 896), (256, 128, 256 - 256 // SHARE), (4, 128, 3), (1024, 1, 1023), (-1, 128, module._NO_LIMIT)],
)
def test_the_last_descriptors_are_reserved(monkeypatch: pytest.MonkeyPatch, soft: int, reserved: int, ceiling: int) -> None:
    monkeypatch.setattr("resource.getrlimit", lambda what: (soft, 1 << 20))
    places = Places(ANY, None, reserved)
    assert places.ceiling == ceiling
    assert places.why_not(ceiling - 1) == ""
    assert places.why_not(ceiling) == "descriptors"
    with socket.socket() as sock:
        assert places.why_not_now(sock.fileno()) == ("" if ceiling > 50 else "descriptors")
    assert places.why_not_now(-1) == "descriptors"  # as where there is none at all


Step = tuple[str, int, str]
HOSTS = ("192.0.2.1", "192.0.2.2", "2001:db8::1")
STEPS = ("new", "admit", "close", "detach", "adopt", "back", "limits")


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 9), st.sampled_from(HOSTS)), max_size=60))
def test_the_count_is_that_of_the_open_sockets(steps: list[Step]) -> None:
    """Against a model: whatever is done, in whatever order, as many are held as there are open sockets of clients."""
    places = Places(5, 2, 1)
    here: list[tuple[Arrival, RawSocket | socket.socket, str | None]] = []
    for step, number, host in steps:
        if step == "new":
            arrival = arrive(places, host)
            here.append((arrival, arrival.sock, None))
        elif step == "back":
            arrival = Arrival(uncounted(descriptor()), (host, 5), AT, 0.0, returned=True)
            places.take_back(arrival)
            here.append((arrival, arrival.sock, host))
        elif step == "limits":
            places.follow(number + 1, number % 3 or None, number + 1)
        elif here:
            _do(step, number % len(here), here, places)
        assert places.held == len(here)
        counts = Counter(host for _, _, host in here if host is not None)
        assert {host: places.of(host) for host in HOSTS if places.of(host)} == counts
    for _, sock, _ in here:
        sock.close()
    assert places.held == 0
    assert not places._clients


def _do(step: str, at: int, here: list[tuple[Arrival, RawSocket | socket.socket, str | None]], places: Places) -> None:
    arrival, sock, host = here[at]
    if step == "admit":
        if host is None and isinstance(sock, ClientSocket) and places.admit(arrival):
            here[at] = (arrival, sock, arrival.client[0])
    elif step == "adopt":
        if isinstance(sock, ClientSocket):
            here[at] = (arrival, arrival.as_socket(), host)
    else:
        del here[at]
        end: dict[str, Callable[[], object]] = {"close": sock.close, "detach": lambda: socket.close(sock.detach())}
        end[step]()
        sock.close()


def test_what_is_dropped_has_left(places: Places) -> None:
    """As it is where something fails that had it in its hands."""
    arrival = arrive(places)
    places.admit(arrival)
    there = arrival.sock.fileno()
    del arrival
    assert places.held == 0
    with pytest.raises(OSError, match="Bad file descriptor"):
        RawSocket(socket.AF_INET, socket.SOCK_STREAM, 0, there).getpeername()
