"""Passive ejection: replicas that failed several times in a row are passed over for a while.

Whoever is ejected comes back by time alone. Its failures still count then: one more and it is out again, one success and all is
forgotten.

Never more than half of the replicas, rounded down, are ejected at once. What makes most of them fail is rarely the replicas'
own fault, and the others must not be buried under their load; one replica alone is never ejected.
"""

from collections.abc import Collection, Hashable, Iterable
from typing import Generic, TypeVar

__all__ = ["Ejection"]

K = TypeVar("K", bound=Hashable)


class Ejection(Generic[K]):
    """Who of one service's replicas is ejected. Times are in seconds, by any clock that never goes back."""

    def __init__(self, after: int, seconds: float) -> None:
        """`after` failures in a row eject a replica for `seconds`."""
        self._after, self._seconds = after, seconds
        self._members: frozenset[K] = frozenset()
        self._failures: dict[K, int] = {}
        self.until: dict[K, float] = {}
        """When each ejected replica comes back, the earliest first; some of these times may be over (`ejected` looks)."""

    def belong(self, members: Iterable[K]) -> None:
        """These are the replicas from now on. Others are forgotten; where fewer may be ejected now, the earliest come back."""
        self._members = frozenset(members)
        self._failures = {key: count for key, count in self._failures.items() if key in self._members}
        kept = [key for key in self.until if key in self._members]
        self.until = {key: self.until[key] for key in kept[max(0, len(kept) - self._most) :]}

    @property
    def _most(self) -> int:
        return len(self._members) // 2

    def ejected(self, now: float) -> Collection[K]:
        """Who is to be passed over; the one that comes back first stands first."""
        until = self.until
        for key in [key for key, end in until.items() if end <= now]:
            del until[key]
        return until.keys()

    def failed(self, key: K, now: float) -> bool:
        """`key` has failed; whether that ejects it. A failure of one that is ejected already does not prolong it."""
        if key not in self._members:
            return False
        count = self._failures[key] = self._failures.get(key, 0) + 1
        out = self.ejected(now)
        if count < self._after or key in out or len(out) >= self._most:
            return False
        self.until[key] = now + self._seconds
        return True

    def succeeded(self, key: K) -> None:
        """`key` works."""
        if self._failures:
            self._failures.pop(key, None)
            self.until.pop(key, None)
