"""From samples to figures: pure. Medians over the calmest samples, how far those lie apart, ratios."""

import statistics
from collections.abc import Sequence
from typing import TypedDict

__all__ = ["Figure", "Taken", "calmest", "figure", "ratio", "significant", "spread"]

CALMEST = 0.5
"""The share of the samples that count, those during which foreign programs used least of the processors,"""
FEWEST = 3
"""but not fewer than so many,"""
AS_CALM = 0.005
"""and those during which they used hardly more of the processors."""


class Taken(TypedDict):
    """One sample as it was taken."""

    rate: float
    """Units a second."""
    cpu: float
    """Seconds of processor that the router used for one unit,"""
    backend: float
    """and the backend, which hands connections back and forth, too."""
    p50: float | None
    p99: float | None
    foreign: float
    """Share of all processors that programs used which are no part of the measurement."""


class Figure(TypedDict):
    """What the samples of one contender come to."""

    rate: float
    spread: float
    cpu: float
    backend: float
    p50: float | None
    p99: float | None
    foreign: float
    samples: int


def calmest(samples: Sequence[Taken]) -> list[Taken]:
    """Those that count, calmest first."""
    ordered = sorted(samples, key=lambda each: each["foreign"])
    most = ordered[: max(FEWEST, round(len(ordered) * CALMEST))]
    return [each for each in ordered if each["foreign"] <= most[-1]["foreign"] + AS_CALM] if most else []


def spread(values: Sequence[float]) -> float:
    """How far the outermost lie apart, as a share of the median; 0 for a single one."""
    middle = statistics.median(values)
    return (max(values) - min(values)) / middle if middle else 0.0


def figure(samples: Sequence[Taken]) -> Figure:
    """The medians.

    Raises:
        statistics.StatisticsError: there is no sample.
    """
    calm = calmest(samples)
    return Figure(
        rate=statistics.median(each["rate"] for each in calm),
        spread=spread([each["rate"] for each in calm]) if calm else 0.0,
        cpu=statistics.median(each["cpu"] for each in calm),
        backend=statistics.median(each["backend"] for each in calm),
        p50=_middle([each["p50"] for each in calm]),
        p99=_middle([each["p99"] for each in calm]),
        foreign=statistics.median(each["foreign"] for each in calm),
        samples=len(samples),
    )


def _middle(values: Sequence[float | None]) -> float | None:
    there = [each for each in values if each is not None]
    return statistics.median(there) if there else None


def ratio(value: float | None, of: float | None) -> float | None:
    """`value` as a multiple of `of`; None where one is not there, or `of` is nothing."""
    return None if value is None or not of else value / of


def significant(value: float, digits: int = 4) -> float:
    """`value` with so many digits that count: files stay small, and no figure says more than it knows."""
    return float(f"{value:.{digits}g}")
