"""Who answers for a connection while it changes hands. The same rule on both sides of a link, in both directions.

A connection that was sent stays in the sender's custody, descriptor and all, until the receiver has said TAKEN. The receiver
says so *before* it serves a single byte. So when a link ends, both sides agree: what was taken is the receiver's (its TAKEN is
still in the sender's queue, to be read before the end-of-file), what was not is the sender's, and nobody has answered on it.

Without I/O. Used by the replica's link (`svckit.handoff.linkend`) and by the router's (`portico.link`).
"""

from collections import deque
from typing import Generic, TypeVar

__all__ = ["Custody"]

T = TypeVar("T")


class Custody(Generic[T]):
    """What this side has sent over one link and the other has not yet taken. Numbers start at 1 and go up by 1."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[int, T]] = deque()
        self.next_number = 1
        """The number that the next connection will have."""

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def last_sent(self) -> int:
        """The highest number so far; 0 before the first."""
        return self.next_number - 1

    @property
    def oldest(self) -> T | None:
        """What waits longest to be taken."""
        return self._waiting[0][1] if self._waiting else None

    def sent(self, item: T) -> int:
        """`item` is on its way; returns its number."""
        number = self.next_number
        self.next_number = number + 1
        self._waiting.append((number, item))
        return number

    def taken(self, number: int) -> list[T]:
        """The other side answers for all up to `number`: the items that leave our custody, oldest first.

        Raises:
            ValueError: `number` was never sent.
        """
        if number > self.last_sent:
            raise ValueError(f"taken up to {number}, but only {self.last_sent} were sent")
        released = []
        waiting = self._waiting
        while waiting and waiting[0][0] <= number:
            released.append(waiting.popleft()[1])
        return released

    def reclaim(self) -> list[T]:
        """The link has ended and its queue is read empty: everything not taken is ours again, oldest first."""
        released = [item for _, item in self._waiting]
        self._waiting.clear()
        return released
