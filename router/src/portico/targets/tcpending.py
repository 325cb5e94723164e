"""How a tcp target ends: retired at a reload, when another may take its place, or drained as the router ends.

What it still has under way then counts for the one that has taken its place too, until it ends.
"""

from svckit.lease import Ownership
from svckit.reactors import Reactor
from twisted.internet.defer import Deferred

from ..arrival import Arrival
from ..config import Limits
from ..core.answers import QUEUE_DRAINED
from ..core.termination import CONNECT, OPERATOR
from ..service import Refusals, RoutedService
from .connect import Connecting
from .lookup import Lookup
from .replicas import Replicas
from .split import Split
from .tunnels import Tunnels

__all__ = ["TcpEnding"]

GOING_DOWN = QUEUE_DRAINED._replace(ended=OPERATOR + CONNECT)
"""For those whose connection to the server is not made when the drain time is up."""


class TcpEnding:
    """The part of a tcp target that ends it."""

    replicas: Replicas
    _lookup: Lookup | None
    _tunnels: Tunnels
    _split: Split

    def __init__(
        self, service: RoutedService, limits: Limits, reactor: Reactor, refusals: Refusals, ownership: Ownership
    ) -> None:
        self._service, self._limits, self._reactor = service, limits, reactor
        self._refusals, self._ownership = refusals, ownership
        self._attempts: dict[Arrival, Connecting] = {}
        self._drained: Deferred[None] | None = None
        self._drains_until: float | None = None
        self._is_cut = False
        self._successor: TcpEnding | None = None

    def retire(self, patterns: tuple[tuple[str, bool], ...]) -> "Deferred[None]":
        """No request but the one under way is ours any more; tunnels live as long as they do."""
        self._ownership.update(())
        self._split.keep_none()
        self._look_no_more()
        drained = self._drained = Deferred()
        drained.addCallback(lambda _: self._close())
        self._look_whether_drained()
        return drained

    def stop(self) -> "Deferred[None]":
        """Drain: live tunnels and exchanges have until the drain time is up. Once more: for those that have come since."""
        now = self._reactor.seconds()
        if self._drains_until is None:
            self._drains_until = now + self._limits.drain_time
            self._split.drain()
            self._look_no_more()
        if self._drained is None or self._drained.called:
            self._drained = Deferred()
        drained = self._drained
        timer = self._reactor.callLater(max(0.0, self._drains_until - now), self._cut)

        def done(_: None) -> None:
            if timer.active():
                timer.cancel()
            self._close()

        drained.addCallback(done)
        self._look_whether_drained()
        return drained

    def close(self) -> None:
        """After `stop`: take nothing more, as the router is gone in a moment."""
        self._cut()

    @property
    def _open(self) -> int:
        return len(self._split) + len(self._tunnels) + len(self._attempts)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is under way."""
        return not self._open

    def _look_no_more(self) -> None:
        self.replicas.stop()
        if self._lookup is not None:
            self._lookup.stop()

    def _close(self) -> None:
        self._tunnels.stop()
        self._split.close()

    def _cut(self) -> None:
        self._is_cut = True  # the places of those that go are for nobody
        for arrival, connecting in list(self._attempts.items()):
            connecting.cancel()  # it would become a tunnel that nobody ends
            del self._attempts[arrival]
            self._refusals.answer(arrival, GOING_DOWN)
        self._tunnels.cut(OPERATOR)
        self._split.cut()
        self._look_whether_drained()

    def _look_whether_drained(self) -> None:
        drained = self._drained
        if drained is not None and not drained.called and self.is_empty:
            drained.callback(None)

    # -- who comes after it

    def succeed(self, before: "TcpEnding") -> None:
        """Before the start: what `before`, whose place this one takes, has under way counts here too, until it ends."""
        self.replicas.succeed(before.replicas)
        before._successor = self

    def _fewer(self) -> None:
        self._service.room()
        newest = self._newest
        if newest is not self:
            self._successor = newest  # those between need not be kept
            newest._service.room()
        self._look_whether_drained()

    @property
    def _newest(self) -> "TcpEnding":
        """The last of those that have followed this one; there may have been many reloads."""
        newest = self
        while newest._successor is not None:
            newest = newest._successor
        return newest
