"""Ends tunnels through which nothing moves any more.

No timer for each tunnel and no clock for each byte: once in a while the bytes that each tunnel has moved are compared with
those of the last look. So a tunnel may live longer than it should: an eighth of the time, or two seconds. Looks are counted
and not seconds, so that a clock which is set forward, or a machine that slept, ends nothing.

A reader that takes nothing counts as idle, whatever waits for it.
"""

from collections.abc import Callable, Collection
from math import ceil

from svckit.reactors import Reactor
from twisted.internet.task import LoopingCall

from ..tunnel import Tunnel

__all__ = ["IdleTunnels", "interval"]

SHARE = 16
"""Looks within the shorter of the times."""
MOST = 15.0
"""Seconds between two looks at most."""


State = tuple[int, bool]
"""Bytes moved, and whether one side has ended."""


def interval(*times: float | None) -> float:
    """Seconds between two looks."""
    return min(MOST, *(max(time / SHARE, min(time, 1.0)) for time in times if time is not None))


class IdleTunnels:
    """Looks after the tunnels of one service."""

    def __init__(
        self,
        idle: float | None,
        half_closed: float,
        tunnels: Collection[Tunnel],
        reactor: Reactor,
        looked: Callable[[int], None] = lambda looks: None,
    ) -> None:
        """`idle` and `half_closed` in seconds: for any tunnel, and for those of which one side has ended. None: no limit.

        `looked` is told the number of each look.
        """
        self._tunnels, self._looked = tunnels, looked
        self.interval = interval(idle, half_closed)
        """Seconds between two looks."""
        self._half_closed = self._looks(half_closed)
        self.idle = None if idle is None else self._looks(idle)
        """Looks that find the same until a tunnel is ended."""
        self._seen: dict[Tunnel, tuple[State, int]] = {}
        """What was found of each, and the number of the look that found it first."""
        self._number = 0
        self._looking = LoopingCall(self._look)
        self._looking.clock = reactor

    def start(self) -> None:
        """Begin to look."""
        self._looking.start(self.interval, now=False)

    def stop(self) -> None:
        """Look no more."""
        if self._looking.running:
            self._looking.stop()

    # -- for those that rest, and are not looked at meanwhile

    def since(self, tunnel: Tunnel) -> int:
        """The number of the look that has found first what there is now; it may be the next one."""
        seen = self._seen.get(tunnel)
        return self._number + 1 if seen is None or seen[0] != (tunnel.moved, tunnel.half_closed) else seen[1]

    def forget(self, tunnel: Tunnel) -> None:
        """It rests."""
        self._seen.pop(tunnel, None)

    def recall(self, tunnel: Tunnel, since: int) -> None:
        """It is there again, and nothing has moved since that look."""
        self._seen[tunnel] = (tunnel.moved, tunnel.half_closed), since

    # -- looks

    def _looks(self, seconds: float) -> int:
        return ceil(seconds / self.interval)

    def _look(self) -> None:
        before = self._seen
        self._number = number = self._number + 1
        self._seen = {tunnel: _seen_now(tunnel, before.get(tunnel), number) for tunnel in self._tunnels}
        for tunnel, (_, first) in list(self._seen.items()):
            limit = self._limit(tunnel)
            if limit is not None and number - first >= limit:
                self._seen.pop(tunnel, None)  # it may rest since the end of another: then the next look ends it
                tunnel.end_idle()
        self._looked(number)

    def _limit(self, tunnel: Tunnel) -> int | None:
        if not tunnel.half_closed:
            return self.idle
        return self._half_closed if self.idle is None else min(self.idle, self._half_closed)


def _seen_now(tunnel: Tunnel, before: tuple[State, int] | None, number: int) -> tuple[State, int]:
    state = tunnel.moved, tunnel.half_closed
    return before if before is not None and before[0] == state else (state, number)
