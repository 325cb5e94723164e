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
    longest: float
    """Seconds after which nothing else begins."""
    resting: float
    """Seconds in which nothing is asked."""
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


QUICK = Form(
    name="quick",
    rounds=2,
    seconds=0.25,
    bulk=64 << 20,
    load_time=56,
    longest=150,
    resting=1.0,
    idle=1_000,
    readers=5,
    slow_time=0.6,
    starts=1,
    growth_samples=2,
    held=(1, 500),
    routes=(10, 1_000),
    replicas=(1, 100),
    services=False,
)
FULL = Form(
    name="full",
    rounds=12,
    seconds=0.8,
    bulk=256 << 20,
    load_time=1_400,
    longest=2_000,
    resting=5.0,
    idle=10_000,
    readers=20,
    slow_time=3.0,
    starts=5,
    growth_samples=12,
    held=(1, 10, 100, 1_000, 10_000),
    routes=(10, 100, 1_000),
    replicas=(1, 10, 100),
    services=True,
)
