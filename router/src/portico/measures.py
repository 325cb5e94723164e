"""What the router counts, in plain integers: counting is for each connection, making metrics of it only for those who ask.

Counts are kept by route, service and replica. Replicas come and go, and each has a name of its own, so the counts of those that
are gone are dropped when there are too many, the oldest first.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from .core.answers import Answer

if TYPE_CHECKING:
    from .arrival import Arrival

__all__ = ["GONE", "THIS_PROCESS", "Histogram", "Measures", "Present", "Traffic"]

GONE = 1_000
"""Sets of counts that are kept for routes and replicas that are not there any more, put through and answered each."""
THIS_PROCESS = "this process"
"""The one replica of a service that runs in the router's process."""
BOUNDS = (
    *(0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
"""Seconds, the upper bounds of a histogram's buckets; one more bucket holds the rest."""

K = TypeVar("K")
V = TypeVar("V")

Through = tuple[str, str, str, str]
"""Route, service, replica, how."""
Answered = tuple[str, str, int, str]
"""Route, service, status, why; route and service are empty where the connection had none."""


class Present(NamedTuple):
    """What there is now."""

    routes: frozenset[str]
    replicas: frozenset[tuple[str, str]]
    """Each with its service: service, replica."""


class Histogram:
    """How long something took."""

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        """For each bucket, not summed up."""
        self.total = 0.0
        """Seconds in all."""

    def add(self, seconds: float) -> None:
        """One more. Less than nothing is what a clock says that was set back meanwhile."""
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        if seconds > 0:
            self.total += seconds


class Traffic:
    """What went one way: connections, and bytes where the router has seen them."""

    __slots__ = ("connections", "down", "up")

    def __init__(self) -> None:
        self.connections = self.up = self.down = 0


class Measures:
    """All counts of one router."""

    def __init__(self) -> None:
        self.accepted = self.returned = 0
        """New connections; connections that services have handed back."""
        self.through: dict[Through, Traffic] = {}
        self.answers: dict[Answered, int] = {}
        self.statuses: Counter[int] = Counter()
        """Answers by status alone; nothing of it is ever dropped."""
        self.deciding = Histogram()
        """From accept to the route, of new connections."""
        self.handing_over = Histogram()
        """From the route to the replica's TAKEN; time in the queue is part of it."""
        self.present: Callable[[], Present] = lambda: Present(frozenset(), frozenset())
        """Asked when counts may have to be dropped."""

    def decided(self, arrival: "Arrival", route: str, now: float) -> None:
        """`arrival` has its route."""
        if not (arrival.route or arrival.returned):
            self.deciding.add(now - arrival.since)
        arrival.route, arrival.decided_at = route, now

    def put_through(self, arrival: "Arrival", how: str, replica: str | None, now: float) -> None:
        """`arrival` lives on elsewhere; `replica` None is this process."""
        self._traffic(arrival, THIS_PROCESS if replica is None else replica, how).connections += 1
        if how == "handed over":
            self.handing_over.add(now - arrival.decided_at)

    def tunnel_ended(self, arrival: "Arrival", replica: str, up: int, down: int) -> None:
        """A connection to a tcp server is over."""
        traffic = self._traffic(arrival, replica, "tcp")
        traffic.connections += 1
        traffic.up += up
        traffic.down += down

    def _traffic(self, arrival: "Arrival", replica: str, how: str) -> Traffic:
        service = arrival.service
        key = (arrival.route, "" if service is None else service.name, replica, how)
        traffic = self.through.get(key)
        if traffic is None:
            if len(self.through) >= GONE:
                routes, replicas = self.present()
                _make_room(self.through, lambda each: each[0] not in routes or each[1:3] not in replicas)
            traffic = self.through[key] = Traffic()
        return traffic

    def answered(self, arrival: "Arrival", answer: Answer) -> None:
        """The router has answered itself."""
        service = arrival.service
        key = (arrival.route, "" if service is None else service.name, answer.status, answer.why)
        if key not in self.answers and len(self.answers) >= GONE:
            routes = self.present().routes
            _make_room(self.answers, lambda each: each[0] != "" and each[0] not in routes)
        self.answers[key] = self.answers.get(key, 0) + 1
        self.statuses[answer.status] += 1

    def totals(self) -> "Counter[str]":
        """What has happened, for `/status`."""
        totals: Counter[str] = Counter()
        if self.accepted:
            totals["accepted"] = self.accepted
        if self.returned:
            totals["returned"] = self.returned
        for status, count in self.statuses.items():
            totals[f"answered {status}"] = count
        return totals


def _make_room(series: dict[K, V], is_gone: Callable[[K], bool]) -> None:
    """Drop the oldest of those that are gone, so that one more may be."""
    gone = [key for key in series if is_gone(key)]
    for key in gone[: max(0, len(gone) - GONE + 1)]:
        del series[key]
