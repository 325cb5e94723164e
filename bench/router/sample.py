"""What one measurement has given."""

from dataclasses import dataclass

__all__ = ["Failed", "Sample", "Wrong", "percentile"]


class Failed(RuntimeError):
    """A measurement that came to nothing; the text says why."""


class Wrong(Failed):
    """It came to nothing as an answer was not the right one."""


@dataclass
class Sample:
    """Units (connections, requests, round trips, GiB) and the seconds that they took."""

    units: float
    seconds: float
    wrong: int = 0
    """Answers that were not right: another service's, another length, an error."""
    broken: int = 0
    """Connections that ended when they should not."""
    p50: float | None = None
    """Seconds, of those that have been timed one by one."""
    p99: float | None = None


def percentile(values: list[float], share: float) -> float:
    """The value below which `share` (0 to 1) of the sorted `values` lie."""
    return values[min(int(len(values) * share), len(values) - 1)]
