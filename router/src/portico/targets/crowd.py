"""When connections that are quiet become records: those of a crowd soon, those of a few only after a while.

To be laid down and woken costs as much as a request, so whoever asks again and again must stay an object. What has been quiet
for `QUIET` seconds is laid down by a timer. Where many come at once that would be too late, as what thousands of objects have
taken is hardly ever given back. So a look is due whenever there are a quarter more than at the last one, and lays down what has
not moved since then; but only once in the life of a connection: one that was woken has shown that it is used, and is left to
the timer. As the number must grow for each look, it costs a connection no more than a few glances.
"""

__all__ = ["QUIET", "Crowd"]

QUIET = 10.0
"""Seconds without a byte after which a connection is laid down."""
FEW = 512
"""Connections of a service that may be objects, whatever they do."""


class Crowd:
    """Tells when a look is due."""

    def __init__(self) -> None:
        self.full = FEW
        """A look is due when there are so many."""

    def looked(self, left: int) -> None:
        """So many are left after a look."""
        self.full = max(FEW, left + left // 4)

    def calmed(self, left: int) -> None:
        """So many are left after the timer's look. It never puts the next one off: a slow crowd would have none."""
        self.full = min(self.full, max(FEW, left + left // 4))

    @staticmethod
    def at_most(there: int) -> int:
        """How many of those that are there a look may lay down: what has gathered since the last one, and no long pause."""
        return max(FEW, there // 4)
