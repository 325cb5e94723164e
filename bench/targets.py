"""The targets, and whether the figures of a run hold them: pure."""

from typing import NamedTuple

from .findings import (
    DIRECT,
    HANDOFF,
    HAPROXY_HTTP,
    HAPROXY_TCP,
    PIN,
    SPLIT,
    Find,
    Result,
    bulk,
    handed_over,
    highest,
    idle,
    lowest,
    moved,
    of,
    of_best,
    routes,
)

__all__ = ["TARGETS", "Judged", "Target", "judge"]

NOTHING_CPU = 0.001
"""Seconds of processor for a GiB that count as none: a look at a clock, noise."""


class Judged(NamedTuple):
    """One row of the table."""

    title: str
    target: str
    value: str
    holds: bool | None
    """None: it was not measured, as something is not here."""


class Target(NamedTuple):
    """One row of it, before a run."""

    title: str
    bound: float
    at_least: bool
    find: Find
    unit: str = ""

    def judge(self, result: Result) -> Judged:
        """What the figures say of it."""
        value = self.find(result)
        sign = "≥" if self.at_least else "≤"
        unit = f" {self.unit}" if self.unit else ""
        target = f"{sign} {self.bound:g}{unit}" if self.bound else "none"
        if value is None:
            return Judged(self.title, target, "not measured", None)
        return Judged(self.title, target, _shown(value) + unit, self._holds(value))

    def _holds(self, value: float) -> bool:
        shown = round(value, 2) if self.bound else value  # as it is shown: 0.949 is 0.95, 0.944 is not
        return shown >= self.bound if self.at_least else shown <= (self.bound or _NOTHING[self.unit])


_NOTHING = {"s/GiB": NOTHING_CPU, "bytes": 1.0}


def _shown(value: float) -> str:
    return f"{value:.2f}" if value >= 0.01 or value == 0 else f"{value:.4f}"


TARGETS = (
    Target("new connections a second, handoff, of direct", 0.95, True, of("connections", "rate", HANDOFF, DIRECT)),
    Target(
        "router CPU of a new connection, handoff, of HAProxy tcp", 0.25, False, of("connections", "cpu", HANDOFF, HAPROXY_TCP)
    ),
    Target(
        "router CPU of a new connection, handoff, of HAProxy http", 0.5, False, of("connections", "cpu", HANDOFF, HAPROXY_HTTP)
    ),
    Target(
        "router CPU of a new connection with a request that is not remembered, handoff, of HAProxy tcp",
        0.25,
        False,
        of("unknown", "cpu", HANDOFF, HAPROXY_TCP),
    ),
    Target(
        "router CPU of a new connection with a request that is not remembered, handoff, of HAProxy http",
        0.5,
        False,
        of("unknown", "cpu", HANDOFF, HAPROXY_HTTP),
    ),
    Target("requests on kept connections, handoff, of direct", 0.97, True, of("kept 1k", "rate", HANDOFF, DIRECT)),
    Target(
        "another prefix at each request, requests a second, handoff, of the best peer",
        1.2,
        True,
        of_best("each", "rate", HANDOFF, highest),
    ),
    Target(
        "another prefix at each request, router CPU, handoff, of the best peer",
        0.5,
        False,
        of_best("each", "cpu", HANDOFF, lowest),
    ),
    Target(
        "another prefix at each tenth request, requests a second, handoff, of the best peer",
        1.25,
        True,
        of_best("tenth", "rate", HANDOFF, highest),
    ),
    Target("bulk down, handoff, of direct", 0.98, True, of("down", "rate", HANDOFF, DIRECT)),
    Target("bulk up, handoff, of direct", 0.98, True, of("up", "rate", HANDOFF, DIRECT)),
    Target("bulk down, router CPU, handoff", 0, False, moved("down", HANDOFF), "s/GiB"),
    Target("bulk up, router CPU, handoff", 0, False, moved("up", HANDOFF), "s/GiB"),
    Target("bulk down over tcp, router CPU, of tuned HAProxy", 1.0, False, bulk("down")),
    Target("bulk up over tcp, router CPU, of tuned HAProxy", 1.0, False, bulk("up")),
    Target("round trip on 1 connection, median, handoff, of direct", 1.05, False, of("echo 1", "p50", HANDOFF, DIRECT)),
    Target(
        "round trip on 1 connection, 99th percentile, handoff, of direct", 1.05, False, of("echo 1", "p99", HANDOFF, DIRECT)
    ),
    Target("round trips a second on 200 connections, handoff, of direct", 0.98, True, of("echo 200", "rate", HANDOFF, DIRECT)),
    Target(
        "requests on kept connections, tcp split, of tuned HAProxy http", 1.1, True, of("kept 1k", "rate", SPLIT, HAPROXY_HTTP)
    ),
    Target("router memory of a handed-over connection", 0, False, handed_over, "bytes"),
    Target("router memory of an idle connection, tcp split", 0.6, False, idle(SPLIT, 1024), "KiB"),
    Target("router memory of an idle connection, tcp pin", 0.6, False, idle(PIN, 1024), "KiB"),
    Target("router CPU of a new connection, 1,000 routes, of 10 routes", 1.1, False, routes),
)
"""In the order of the table."""


def judge(result: Result) -> list[Judged]:
    """Every target, in order; none is left out."""
    return [target.judge(result) for target in TARGETS]
