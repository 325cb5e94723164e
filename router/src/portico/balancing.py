"""How a service's replicas are chosen, as its configuration says: the ways of `core.balance` and `core.rendezvous` by name.

The seed of the rendezvous hash is drawn at start, so that nobody outside can compute keys that all meet at one replica. Routers
that borrow their ports from the same keeper have its seed, and so agree; others agree by the same PORTICO_HASH_SEED.
"""

import os
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import count
from typing import Protocol, TypeVar

from svckit.paths import BadTarget, normalise

from .arrival import Arrival
from .core.balance import Loaded, least_connections, random_two, round_robin
from .core.hashkey import by_client, by_segment
from .core.rendezvous import rendezvous

__all__ = ["Balanced", "Balancer", "agree_on", "seed_from"]


class Named(Loaded, Protocol):
    """A replica with a name that every router knows it by."""

    @property
    def name(self) -> str: ...


N = TypeVar("N", bound=Named)


class Balanced(Protocol):
    """The part of a service's configuration that speaks of balancing."""

    @property
    def balance(self) -> str: ...

    @property
    def segment(self) -> int | None: ...


def seed_from(environment: Mapping[str, str] = os.environ) -> bytes:
    """The seed that the environment gives, else a new one."""
    given = environment.get("PORTICO_HASH_SEED")
    return given.encode()[:64] if given else os.urandom(16)


_seed = seed_from()


def agree_on(seed: bytes) -> None:
    """From now on new balancers use this one, unless the environment gives another."""
    global _seed
    _seed = seed_from() if os.environ.get("PORTICO_HASH_SEED") else seed


class Balancer:
    """Puts replicas in the order in which a connection is offered to them."""

    def __init__(self, settings: Balanced, seed: bytes = b"", below: Callable[[int], int] = random.randrange) -> None:
        """`seed` is for tests; see `agree_on`."""
        self._way, self._segment, self._seed, self._below = settings.balance, settings.segment, seed or _seed, below
        self._turn = count()

    def order(self, replicas: Sequence[N], arrival: Arrival) -> Iterable[N]:
        """Those with room, the first choice first."""
        if len(replicas) == 1:
            return replicas if replicas[0].load < replicas[0].capacity else ()
        if self._way == "round-robin":
            return round_robin(replicas, next(self._turn))
        if self._way == "random-two":
            return random_two(replicas, self._below)
        key = self._key(arrival)
        if key is not None:
            return rendezvous(replicas, key, _name, self._seed)
        return least_connections(replicas, next(self._turn))

    def _key(self, arrival: Arrival) -> bytes | None:
        if self._way == "client":
            return by_client(arrival.client)
        if self._way != "segment" or arrival.head is None or self._segment is None:
            return None
        try:
            return by_segment(normalise(arrival.head.target), self._segment)
        except BadTarget:
            return None


def _name(replica: Named) -> str:
    return replica.name
