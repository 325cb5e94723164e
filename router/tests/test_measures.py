"""What is counted, and that the counts of what is gone do not pile up."""

from types import SimpleNamespace

import pytest
from portico.arrival import Arrival
from portico.core.answers import BAD_FRAMING, BAD_REQUEST, NO_REPLICA, NO_ROUTE
from portico.measures import BOUNDS, GONE, THIS_PROCESS, Histogram, Measures, Present

from .support.wires import arrive


def arrived(service: str | None = "web", since: float = 0.0, returned: bool = False) -> Arrival:
    client, arrival = arrive(b"", since, returned)
    client.close()
    arrival.close()
    if service is not None:
        arrival.service = SimpleNamespace(name=service)  # type: ignore[assignment]
    return arrival


@pytest.fixture
def measures() -> Measures:
    return Measures()


@pytest.mark.parametrize("at", range(len(BOUNDS)))
def test_a_bound_belongs_to_its_bucket(at: int) -> None:
    histogram = Histogram()
    histogram.add(BOUNDS[at])
    histogram.add(BOUNDS[at] * 1.001)
    expected = [0] * (len(BOUNDS) + 1)
    expected[at] = expected[at + 1] = 1
    assert histogram.counts == expected
    assert histogram.total == pytest.approx(BOUNDS[at] * 2.001)


def test_a_clock_that_was_set_back_takes_nothing_away() -> None:
    histogram = Histogram()
    histogram.add(1.0)
    histogram.add(-3_600.0)
    assert (sum(histogram.counts), histogram.counts[0], histogram.total) == (2, 1, 1.0)


def test_the_time_to_decide_is_that_of_new_connections(measures: Measures) -> None:
    arrival = arrived(since=10.0)
    measures.decided(arrival, "/a/", 10.5)
    assert (arrival.route, arrival.decided_at) == ("/a/", 10.5)
    measures.decided(arrived(since=10.0, returned=True), "/a/", 60.0)  # it was idle most of the time
    assert (sum(measures.deciding.counts), measures.deciding.total) == (1, 0.5)


def test_decided_anew_it_has_the_new_route_and_counts_once(measures: Measures) -> None:
    arrival = arrived(since=10.0)
    measures.decided(arrival, "/a/", 11.0)
    measures.decided(arrival, "/", 15.0)
    assert (arrival.route, arrival.decided_at) == ("/", 15.0)
    assert measures.deciding.total == 1.0


def test_put_through(measures: Measures) -> None:
    for replica, how in (("one", "handed over"), ("one", "handed over"), ("two", "handed over"), (None, "in process")):
        arrival = arrived()
        measures.decided(arrival, "/a/", 10.0)
        measures.put_through(arrival, how, replica, 10.25)
    assert {key: traffic.connections for key, traffic in measures.through.items()} == {
        ("/a/", "web", "one", "handed over"): 2,
        ("/a/", "web", "two", "handed over"): 1,
        ("/a/", "web", THIS_PROCESS, "in process"): 1,
    }
    assert (sum(measures.handing_over.counts), measures.handing_over.total) == (3, 0.75)


def test_bytes_of_tcp(measures: Measures) -> None:
    for up, down in ((1, 10), (2, 1 << 40)):
        measures.tunnel_ended(arrived(), "10.0.0.1:80", up, down)
    (traffic,) = measures.through.values()
    assert (traffic.connections, traffic.up, traffic.down) == (2, 3, (1 << 40) + 10)


def test_answers_and_totals(measures: Measures) -> None:
    assert measures.totals() == {}
    measures.accepted = 5
    for answer, service in (
        (NO_ROUTE, None),
        (BAD_REQUEST, None),
        (BAD_FRAMING, "web"),
        (NO_REPLICA, "web"),
        (NO_REPLICA, "web"),
    ):
        measures.answered(arrived(service), answer)
    assert measures.answers == {
        ("", "", 404, NO_ROUTE.why): 1,
        ("", "", 400, BAD_REQUEST.why): 1,
        ("", "web", 400, BAD_FRAMING.why): 1,
        ("", "web", 503, NO_REPLICA.why): 2,
    }
    assert measures.totals() == {"accepted": 5, "answered 404": 1, "answered 400": 2, "answered 503": 2}
    measures.returned = 1
    assert measures.totals()["returned"] == 1


def test_of_replicas_that_are_gone_the_oldest_are_dropped(measures: Measures) -> None:
    measures.present = lambda: Present(frozenset({"/a/"}), frozenset({("web", "0"), ("web", "1")}))
    for number in range(GONE + 12):
        arrival = arrived()
        arrival.route = "/a/"
        measures.put_through(arrival, "handed over", str(number), 0.0)
    names = [key[2] for key in measures.through]
    assert names[:3] == ["0", "1", "12"]  # the first two are still there
    assert names[-1] == str(GONE + 11)
    assert len(names) == GONE + 2


def test_what_is_there_is_never_dropped(measures: Measures) -> None:
    names = [str(number) for number in range(GONE + 10)]
    measures.present = lambda: Present(frozenset({""}), frozenset(("web", name) for name in names))
    for name in names:
        measures.put_through(arrived(), "handed over", name, 0.0)
    assert [key[2] for key in measures.through] == names


def test_of_routes_that_are_gone_the_oldest_are_dropped(measures: Measures) -> None:
    measures.present = lambda: Present(frozenset({"/0/"}), frozenset({("web", "one")}))
    measures.answered(arrived(None), NO_ROUTE)
    for number in range(GONE + 10):
        arrival = arrived()
        arrival.route = f"/{number}/"
        measures.put_through(arrival, "handed over", "one", 0.0)
        measures.answered(arrival, NO_REPLICA)
    assert [key[0] for key in measures.through][:2] == ["/0/", "/10/"]
    assert [key[0] for key in measures.answers][:3] == ["", "/0/", "/10/"]
    assert (len(measures.through), len(measures.answers)) == (GONE + 1, GONE + 2)
    assert measures.totals()["answered 503"] == GONE + 10
