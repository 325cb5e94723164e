"""How much is measured: a quick form to see that nothing is badly slow, a full one whose figures are kept."""

from dataclasses import dataclass

__all__ = ["FULL", "QUICK", "Form"]


@dataclass(frozen=True)
class Form:
    """Counts, seconds and bytes of one run."""

    name: str
    rounds: int
    seconds: float
    """Of one sample."""
    bulk: int
    """Bytes of one large transfer."""
    load_time: float
    """Seconds after which no further round begins."""
    idle: int
    readers: int
    """Slow ones."""
    slow_time: float
    starts: int
    growth_samples: int
    held: tuple[int, ...]
    routes: tuple[int, ...]
    replicas: tuple[int, ...]
    services: bool


QUICK = Form("quick", 2, 0.25, 64 << 20, 55, 1_000, 5, 0.6, 1, 2, (1, 500), (10, 1000), (1, 100), False)
FULL = Form(
    "full", 8, 0.8, 256 << 20, 840, 10_000, 20, 3.0, 5, 7, (1, 10, 100, 1_000, 10_000), (10, 100, 1_000), (1, 10, 100), True
)
