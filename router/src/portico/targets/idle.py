"""Ends tunnels through which nothing moves any more.

No timer for each tunnel and no clock for each byte: once in a while the bytes that each tunnel has moved are compared with
those of the last look. So a tunnel may live longer than it should: an eighth of the time, or two seconds. Looks are counted
and not seconds, so that a clock which is set forward, or a machine that slept, ends nothing.

A reader that takes nothing counts as idle, whatever waits for it.
"""

from collections.abc import Collection
from math import ceil

from svckit.reactors import Reactor
from twisted.internet.task import LoopingCall

from ..pump import Tunnel

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

    def __init__(self, idle: float | None, half_closed: float, tunnels: Collection[Tunnel], reactor: Reactor) -> None:
        """`idle` and `half_closed` in seconds: for any tunnel, and for those of which one side has ended. None: no limit."""
        self._tunnels = tunnels
        self._interval = interval(idle, half_closed)
        self._half_closed = self._looks(half_closed)
        self._idle = None if idle is None else self._looks(idle)
        self._seen: dict[Tunnel, tuple[State, int]] = {}
        """What was found of each, and how many looks since have found the same."""
        self._looking = LoopingCall(self._look)
        self._looking.clock = reactor

    def start(self) -> None:
        """Begin to look."""
        self._looking.start(self._interval, now=False)

    def stop(self) -> None:
        """Look no more."""
        if self._looking.running:
            self._looking.stop()

    def _looks(self, seconds: float) -> int:
        return ceil(seconds / self._interval)

    def _look(self) -> None:
        before = self._seen
        self._seen = {tunnel: _seen_now(tunnel, before.get(tunnel)) for tunnel in self._tunnels}
        for tunnel, (_, looks) in list(self._seen.items()):
            limit = self._limit(tunnel)
            if limit is not None and looks >= limit:
                del self._seen[tunnel]
                tunnel.end_idle()

    def _limit(self, tunnel: Tunnel) -> int | None:
        if not tunnel.half_closed:
            return self._idle
        return self._half_closed if self._idle is None else min(self._idle, self._half_closed)


def _seen_now(tunnel: Tunnel, before: tuple[State, int] | None) -> tuple[State, int]:
    state = tunnel.moved, tunnel.half_closed
    return (state, before[1] + 1) if before is not None and before[0] == state else (state, 0)
