"""Exchanges with a tcp server in which no byte moves: found by comparing counts now and then, and ended when their time is up.

A client that has gone looks like one that has only said all it has to say, so it is the silence that tells.
"""

from collections.abc import Iterable

from .leaving import Leaving

__all__ = ["Stalled"]


class Stalled:
    """How long each exchange has been standing still."""

    def __init__(self, answer_timeout: float, exchange_idle: float) -> None:
        """Seconds, see `portico.config.Tcp`."""
        self._answer_timeout, self._exchange_idle = answer_timeout, exchange_idle
        self._seen: dict[Leaving, tuple[int, float]] = {}  # bytes that had moved, and since when it is no more than that

    def look(self, sessions: Iterable[Leaving], now: float) -> list[Leaving]:
        """Those whose time is up. Between two requests, and while a connection is made, other clocks run."""
        before, self._seen = self._seen, {}
        late: list[Leaving] = []
        for session in sessions:
            if session.idle or session.is_connecting:
                continue
            moved = session.moved
            known = before.get(session)
            since = known[1] if known is not None and known[0] == moved else now
            self._seen[session] = moved, since
            if now - since >= (self._answer_timeout if session.awaits_answer else self._exchange_idle):
                late.append(session)
        return late
