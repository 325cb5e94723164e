"""How a router leaves in good order: what it has is placed or finished, and the links to replicas end last of all."""

from collections.abc import Callable, Sequence

from svckit.reactors import Reactor
from twisted.internet.defer import Deferred, DeferredList

from .patience import Hurry, Patience
from .service import Target
from .targets.handoff import HandoffTarget
from .targets.split import LAST_REQUESTS
from .targets.tcp import TcpTarget
from .tls import TlsSession

__all__ = ["Departure"]

TLS_LOOK = 0.1
"""Seconds between two looks at whether TLS clients are left."""


class Departure:
    """Of one router, whose ports are closed."""

    def __init__(
        self,
        patience: Patience,
        reactor: Reactor,
        targets: Callable[[], Sequence[Target]],
        sessions: Callable[[], Sequence[TlsSession]],
    ) -> None:
        """`targets` are those that there are just now, and `sessions` the TLS clients that are left."""
        self._patience, self._reactor = patience, reactor
        self._targets, self._sessions = targets, sessions

    def depart(self, drain_time: float) -> "Deferred[None]":
        """Fires when nothing is left here, or `drain_time`, in seconds, is up."""
        time = drain_time / 2
        undecided = self._patience.drain(Hurry(min(LAST_REQUESTS, time), time))
        stopped = undecided.addCallback(self._stop_targets)
        drained = DeferredList([stopped, self._without_tls(drain_time)], consumeErrors=True)
        # replicas last: the next request on a kept connection of another service may be theirs
        return drained.addCallback(self._leave)

    def _stop_targets(self, _: None) -> "Deferred[None]":
        """What was undecided has come to its target."""
        stopped = [target.stop() for target in self._targets() if not isinstance(target, HandoffTarget)]
        return DeferredList(stopped, consumeErrors=True).addCallback(lambda _: None)

    def _leave(self, _: object) -> "Deferred[None]":
        """First take nothing back on any link, then place what is here, and only then end the links, all at once.

        What a replica hands back from now on it keeps for another router: taken here it might find its links ended. What came
        back before, and went to a target that had drained, is waited for.
        """
        if not all(target.is_empty for target in self._targets() if isinstance(target, TcpTarget)):
            return self._stop_targets(None).addCallback(self._leave)
        targets = [target for target in self._targets() if isinstance(target, HandoffTarget)]
        for target in targets:
            target.leave()
        return self._place(targets)

    def _place(self, targets: list[HandoffTarget]) -> "Deferred[None]":
        """Fires when all targets have placed theirs, and all links have ended."""
        placed = DeferredList([target.place() for target in targets], consumeErrors=True)
        return placed.addCallback(self._placed, targets)

    def _placed(self, _: object, targets: list[HandoffTarget]) -> "Deferred[None] | None":
        if not all(target.placed for target in targets):  # the last of one was the first of another
            return self._place(targets)
        for target in targets:
            target.close()
        return None

    def _without_tls(self, drain_time: float) -> "Deferred[None]":
        """Fires when no TLS client is left, or the drain time is up: their bytes go through this process, wherever they are."""
        gone: Deferred[None] = Deferred()
        end = self._reactor.seconds() + drain_time

        def look() -> None:
            if not self._sessions() or self._reactor.seconds() >= end:
                gone.callback(None)
            else:
                self._reactor.callLater(TLS_LOOK, look)

        look()
        return gone
