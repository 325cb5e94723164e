"""The page /metrics: what was counted, in Prometheus' text format, made when it is asked for. `docs/metrics.md` explains it."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from .measures import BOUNDS, Histogram, Measures
from .report import Report

__all__ = ["RouterCollector", "make_page"]


def make_page(measures: Measures, report: Callable[[], Report]) -> Callable[[], bytes]:
    """Makes the page's text, with the figures of the process (descriptors, memory, processor time) beside the router's."""
    registry = CollectorRegistry()
    registry.register(RouterCollector(measures, report))
    ProcessCollector(registry=registry)
    return lambda: generate_latest(registry)


WILLING = ("ready", "full", "resting")
"""States of `/status` in which a replica may get new connections, now or as soon as it has room."""


class RouterCollector(Collector):
    """Turns `measures` and `report` into metrics."""

    def __init__(self, measures: Measures, report: Callable[[], Report]) -> None:
        self._measures, self._report = measures, report

    def describe(self) -> Iterable[Metric]:
        """Nothing: else the library would collect once to learn the names."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """All metrics, as they are now."""
        yield from self._counters()
        yield from self._gauges(self._report())
        yield _histogram(
            "portico_decision_seconds", "From accept to the decision on a route, of new connections.", self._measures.deciding
        )
        yield _histogram(
            "portico_handover_seconds",
            "From the decision on a route until the replica has taken the connection.",
            self._measures.handing_over,
        )

    def _counters(self) -> Iterator[Metric]:
        measures = self._measures
        yield CounterMetricFamily("portico_accepted", "New connections that reached the routes.", measures.accepted)
        yield CounterMetricFamily("portico_returned", "Connections that services have handed back.", measures.returned)
        connections = CounterMetricFamily(
            "portico_connections",
            "Connections put through; tcp ones when they end.",
            labels=["route", "service", "replica", "how"],
        )
        moved = CounterMetricFamily(
            "portico_bytes", "Bytes of tcp connections that have ended.", labels=["route", "service", "replica", "direction"]
        )
        for labels, traffic in measures.through.items():
            connections.add_metric(labels, traffic.connections)
            if labels[3] == "tcp":
                moved.add_metric((*labels[:3], "up"), traffic.up)
                moved.add_metric((*labels[:3], "down"), traffic.down)
        answers = CounterMetricFamily(
            "portico_answers", "Connections that the router has answered itself.", labels=["route", "service", "status", "why"]
        )
        for (route, service, status, why), count in measures.answers.items():
            answers.add_metric((route, service, str(status), why), count)
        yield from (connections, moved, answers)

    def _gauges(self, report: Report) -> Iterator[Metric]:
        open_now = GaugeMetricFamily("portico_open", "Live connections.", labels=["service", "replica"])
        up = GaugeMetricFamily("portico_up", "1 where new connections may go, 0 where not.", labels=["service", "replica"])
        queued = GaugeMetricFamily("portico_queued", "Connections that wait for a replica.", labels=["service"])
        for name, service in report.services.items():
            queued.add_metric((name,), service.queued)
            up_now: dict[str, bool] = {}
            loads: Counter[str] = Counter()  # two replicas of one name would be one sample twice, and the page refused
            for replica in service.replicas:
                loads[replica.replica] += replica.open
                up_now[replica.replica] = up_now.get(replica.replica, False) or replica.state in WILLING
            for replica_name, load in loads.items():
                open_now.add_metric((name, replica_name), load)
                up.add_metric((name, replica_name), up_now[replica_name])
        yield from (open_now, up, queued)
        yield GaugeMetricFamily("portico_held", "Connections of clients that this router holds.", report.held)
        pauses = CounterMetricFamily("portico_pauses", "Times that accepting has paused.", labels=["why"])
        for why, count in report.pauses.items():
            pauses.add_metric((why,), count)
        yield pauses
        yield GaugeMetricFamily("portico_waiting", "Connections that cannot be decided on yet.", report.waiting)
        yield GaugeMetricFamily("portico_tls_sessions", "TLS clients.", report.tls_sessions)


def _histogram(name: str, help_text: str, histogram: Histogram) -> Metric:
    bounds = [*map(str, BOUNDS), "+Inf"]
    sums = accumulate(histogram.counts)
    return HistogramMetricFamily(name, help_text, list(zip(bounds, sums, strict=True)), histogram.total)
