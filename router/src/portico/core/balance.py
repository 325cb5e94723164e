"""Which replica gets the next connection.

Each way answers with the replicas that have room, in the order in which they are to be tried: the first one, and the others
for when it refuses. `core.rendezvous` is one more, for what should always meet the same replica.
"""

from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Protocol, TypeVar

__all__ = ["Loaded", "least_connections", "random_two", "round_robin"]


class Loaded(Protocol):
    """Something that has connections open, and can have only so many."""

    @property
    def load(self) -> int: ...

    @property
    def capacity(self) -> int: ...


L = TypeVar("L", bound=Loaded)

_load = attrgetter("load")


def least_connections(replicas: Sequence[L], turn: int) -> Iterable[L]:
    """The replicas with room, the one with the fewest connections first.

    Among equals the order goes round with `turn`, a number that the caller counts up: an idle service's replicas take turns
    instead of all work going to the first.
    """
    if len(replicas) == 1:
        only = replicas[0]
        return (only,) if only.load < only.capacity else ()
    return sorted(round_robin(replicas, turn), key=_load)  # which keeps the order of equals


def round_robin(replicas: Sequence[L], turn: int) -> Iterable[L]:
    """The replicas with room one after the other, whatever they have open. `turn` as in `least_connections`."""
    start = turn % len(replicas) if replicas else 0
    return [replica for replica in (*replicas[start:], *replicas[:start]) if replica.load < replica.capacity]


def random_two(replicas: Sequence[L], below: Callable[[int], int]) -> Iterable[L]:
    """Of two replicas with room, drawn at random, the one with fewer connections; the others after them.

    Several routers that share replicas do not see each other's connections. By `least_connections` all of them would send
    to the same one; drawn at random, they do not. `below(n)` draws a number from 0 to n - 1, as `random.randrange` does.
    """
    willing = [replica for replica in replicas if replica.load < replica.capacity]
    if len(willing) > 1:
        for place in (0, 1):
            other = place + below(len(willing) - place)
            willing[place], willing[other] = willing[other], willing[place]
        if willing[1].load < willing[0].load:
            willing[0], willing[1] = willing[1], willing[0]
    return willing
