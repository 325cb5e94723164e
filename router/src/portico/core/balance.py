"""Which replica gets the next connection."""

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

__all__ = ["Loaded", "least_connections"]


class Loaded(Protocol):
    """Something that has connections open, and can have only so many."""

    @property
    def load(self) -> int: ...

    @property
    def capacity(self) -> int: ...


L = TypeVar("L", bound=Loaded)


def least_connections(replicas: Sequence[L], turn: int) -> Iterable[L]:
    """The replicas with room, the one with the fewest connections first.

    Among equals the order goes round with `turn`, a number that the caller counts up: an idle service's replicas take turns
    instead of all work going to the first.
    """
    if len(replicas) == 1:
        only = replicas[0]
        return (only,) if only.load < only.capacity else ()
    start = turn % len(replicas) if replicas else 0
    rotated = (*replicas[start:], *replicas[:start])
    return sorted((replica for replica in rotated if replica.load < replica.capacity), key=_load)


def _load(replica: Loaded) -> int:
    return replica.load
