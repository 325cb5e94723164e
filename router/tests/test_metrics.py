"""The page /metrics, read again by Prometheus' own parser."""

import pytest
from portico.core.answers import NO_REPLICA, NO_ROUTE, SILENT
from portico.measures import BOUNDS, Measures
from portico.metrics import make_page
from portico.report import ReplicaReport, Report, ServiceReport
from prometheus_client.parser import text_string_to_metric_families

from .test_measures import arrived

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@pytest.fixture
def measures() -> Measures:
    return Measures()


def read(measures: Measures, report: Report) -> Samples:
    """All samples by name and labels; each only once."""
    samples: Samples = {}
    for family in text_string_to_metric_families(make_page(measures, lambda: report)().decode()):
        assert family.documentation or not family.name.startswith("portico_")
        for sample in family.samples:
            key = sample.name, tuple(sorted(sample.labels.items()))
            assert key not in samples
            samples[key] = sample.value
    return samples


def of(samples: Samples, name: str) -> dict[tuple[str, ...], float]:
    """The samples of one name by their labels' values, in the order of the labels' names."""
    return {tuple(value for _, value in labels): count for (found, labels), count in samples.items() if found == name}


def test_counters(measures: Measures) -> None:
    measures.accepted, measures.returned = 9, 4
    arrival = arrived()
    arrival.route = "/a/"
    measures.put_through(arrival, "handed over", 'o"n\\e\n', 0.0)
    measures.put_through(arrival, "in process", None, 0.0)
    measures.tunnel_ended(arrival, "10.0.0.1:80", 5, 1 << 40)
    measures.answered(arrival, NO_REPLICA)
    measures.answered(arrived(None), SILENT)
    for _ in range(2):
        measures.answered(arrived(None), NO_ROUTE)
    samples = read(measures, Report())
    assert of(samples, "portico_accepted_total") == {(): 9}
    assert of(samples, "portico_returned_total") == {(): 4}
    assert of(samples, "portico_connections_total") == {  # how, replica, route, service
        ("handed over", 'o"n\\e\n', "/a/", "web"): 1,
        ("in process", "this process", "/a/", "web"): 1,
        ("tcp", "10.0.0.1:80", "/a/", "web"): 1,
    }
    assert of(samples, "portico_bytes_total") == {
        ("up", "10.0.0.1:80", "/a/", "web"): 5,
        ("down", "10.0.0.1:80", "/a/", "web"): 1 << 40,
    }
    assert of(samples, "portico_answers_total") == {  # route, service, status, why
        ("/a/", "web", "503", NO_REPLICA.why): 1,
        ("", "", "0", SILENT.why): 1,
        ("", "", "404", NO_ROUTE.why): 2,
    }


def test_gauges(measures: Measures) -> None:
    twins = [ReplicaReport("one", open=3), ReplicaReport("one", "draining", open=1), ReplicaReport("two", open=7)]
    report = Report(
        waiting=11, tls_sessions=12, services={"web": ServiceReport("handoff", twins, 13), "none": ServiceReport("tcp")}
    )
    samples = read(measures, report)
    assert of(samples, "portico_open") == {("one", "web"): 4, ("two", "web"): 7}
    assert of(samples, "portico_queued") == {("web",): 13, ("none",): 0}
    assert of(samples, "portico_waiting") == {(): 11}
    assert of(samples, "portico_tls_sessions") == {(): 12}


@pytest.mark.parametrize(
    ("state", "up"),
    [("ready", 1), ("full", 1), ("resting", 1)]
    + [(state, 0) for state in ("connecting", "draining", "drained", "checking", "down", "ejected")],
)
def test_who_gets_new_connections(measures: Measures, state: str, up: int) -> None:
    replicas = [ReplicaReport("one", state), ReplicaReport("twin", "down"), ReplicaReport("twin", state)]
    samples = read(measures, Report(services={"web": ServiceReport("tcp", replicas)}))
    assert of(samples, "portico_up") == {("one", "web"): up, ("twin", "web"): up}


def test_what_is_held_and_how_often_accepting_has_paused(measures: Measures) -> None:
    samples = read(measures, Report(held=14, pauses={"connections": 2, "descriptors": 1}))
    assert of(samples, "portico_held") == {(): 14}
    assert of(samples, "portico_pauses_total") == {("connections",): 2, ("descriptors",): 1}


def test_histograms(measures: Measures) -> None:
    for seconds in (0.00001, 0.003, 0.004, 99.0):
        arrival = arrived()
        measures.decided(arrival, "/a/", seconds)
        measures.put_through(arrival, "handed over", "one", 2 * seconds)
    samples = read(measures, Report())
    for name in ("portico_decision_seconds", "portico_handover_seconds"):
        buckets = {float(bound): count for (bound,), count in of(samples, f"{name}_bucket").items()}
        assert list(buckets) == [*BOUNDS, float("inf")]
        assert [buckets[bound] for bound in (0.00005, 0.0025, 0.005, 10.0, float("inf"))] == [1, 1, 3, 3, 4]
        assert of(samples, f"{name}_count") == {(): 4}
        assert of(samples, f"{name}_sum")[()] == pytest.approx(99.00701)


def test_the_process_is_there_too(measures: Measures) -> None:
    samples = read(measures, Report())
    assert of(samples, "process_open_fds")[()] > 0
    assert of(samples, "process_resident_memory_bytes")[()] > 1_000_000


def test_it_is_made_anew_each_time(measures: Measures) -> None:
    page = make_page(measures, Report)
    assert b"portico_accepted_total 0.0\n" in page()
    measures.accepted = 1
    assert b"portico_accepted_total 1.0\n" in page()
