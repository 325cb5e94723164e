"""How much of what one service hands back may be doubted.

Each such connection is answered in good manners, which takes a descriptor and up to two seconds. After a restart of the router
there may be some from honest replicas, whose seals another router made. A service that makes them by the thousand is not
honest, and would use up descriptors and fill the log: beyond a number the doubt is a breach of the protocol.
"""

from twisted.logger import Logger

__all__ = ["DOUBTS", "DOUBTS_TIME", "Doubts", "Foreign"]

DOUBTS = 512
"""Doubted connections of one service in DOUBTS_TIME; the next one ends the link on which it comes."""
DOUBTS_TIME = 10.0
"""Seconds; also between two warnings."""


class Foreign(ValueError):
    """Nothing that a router ever gave: the replica breaks the protocol."""


class Doubts:
    """Of one service."""

    log = Logger()

    def __init__(self, service: str) -> None:
        self._service = service
        self._count = 0
        self._since = -DOUBTS_TIME

    def add(self, why: str, now: float) -> None:
        """One more; `now` is in seconds.

        Raises:
            Foreign: that is one too many.
        """
        if now - self._since >= DOUBTS_TIME:
            unsaid = max(0, self._count - 1)
            self.log.warn(
                "{service} hands back what is not put through: {why} ({unsaid} more since the last warning)",
                service=self._service,
                why=why,
                unsaid=unsaid,
            )
            self._since, self._count = now, 0
        self._count += 1
        if self._count > DOUBTS:
            raise Foreign(f"more than {DOUBTS} of what it hands back in {DOUBTS_TIME:.0f} s is not put through, as {why}")
