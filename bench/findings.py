"""Where in a result the value of a target is found: pure. A result is what `bench.record` reads and writes."""

from collections.abc import Callable, Mapping
from typing import Any

from .figures import ratio

__all__ = [
    "DIRECT", "HANDOFF", "HAPROXY_HTTP", "HAPROXY_TCP", "PIN", "SPLIT", "Find", "Result",
    "bulk", "handed_over", "highest", "idle", "lowest", "moved", "of", "of_best", "routes",
]  # fmt: skip

Result = Mapping[str, Any]
Find = Callable[[Result], float | None]
DIRECT, HANDOFF, PIN, SPLIT = "direct", "portico handoff", "portico tcp pin", "portico tcp split"
HAPROXY_TCP, HAPROXY_HTTP = "HAProxy tcp", "HAProxy http"
BY_PREFIX = (HAPROXY_HTTP, "nginx http", "Caddy")
"""The peers that route each request by its prefix."""
NOTHING_MEMORY = 256 * 1024
"""Bytes in all, for all connections together, that count as none: Python's allocator moves by as much on its own."""


def _get(result: Result, measure: str, contender: str, field: str) -> float | None:
    found = result["measures"].get(measure, {}).get(contender)
    return None if found is None else found[field]


def _removed(result: Result, contender: str) -> bool:
    """Whether it was wrong: then it is no peer."""
    return str(result["contenders"].get(contender, "")).startswith("removed")


def moved(way: str, contender: str) -> Find:
    """Processor time for a GiB in the midst of a transfer, beyond what the router uses when it rests."""

    def find(result: Result) -> float | None:
        return result.get("passing", {}).get(contender, {}).get(way)  # type: ignore[no-any-return]

    return find


def of(measure: str, field: str, contender: str, other: str) -> Find:
    """A figure as a multiple of another contender's."""
    return lambda result: ratio(_get(result, measure, contender, field), _get(result, measure, other, field))


def of_best(measure: str, field: str, contender: str, best: Callable[[list[float]], float]) -> Find:
    """The same of the peer that routes by prefixes and is best at it; which one that is, is not known where one is not here."""

    def find(result: Result) -> float | None:
        known = {name: _get(result, measure, name, field) for name in BY_PREFIX if not _removed(result, name)}
        there = [each for each in known.values() if each is not None]
        return ratio(_get(result, measure, contender, field), best(there)) if there and len(there) == len(known) else None

    return find


def highest(values: list[float]) -> float:
    """The best rate."""
    return max(values)


def lowest(values: list[float]) -> float:
    """The best cost."""
    return min(values)


def bulk(measure: str) -> Find:
    """Pin's processor time for a GiB, of the HAProxy that needs least."""

    def find(result: Result) -> float | None:
        there = [_get(result, measure, name, "cpu") for name in (HAPROXY_TCP, HAPROXY_HTTP)]
        known = [each for each in there if each]
        return ratio(_get(result, measure, PIN, "cpu"), min(known)) if known else None

    return find


def idle(contender: str, scale: float = 1.0) -> Find:
    """Memory of an idle connection, in units of `scale` bytes."""

    def find(result: Result) -> float | None:
        found = result["idle"].get(contender)
        return None if found is None else max(0.0, found["bytes_each"]) / scale

    return find


def handed_over(result: Result) -> float | None:
    """Bytes of the router's for each connection that it has handed over."""
    found = result["idle"].get(HANDOFF)
    if found is None:
        return None
    in_all = found["bytes_each"] * found["count"]
    return 0.0 if in_all < NOTHING_MEMORY else float(found["bytes_each"])


def routes(result: Result) -> float | None:
    """What a connection costs with 1,000 routes, of what it costs with 10."""
    grown = result["growth"].get("routes", {})
    return ratio(grown["1000"]["cpu"], grown["10"]["cpu"]) if {"10", "1000"} <= set(grown) else None
