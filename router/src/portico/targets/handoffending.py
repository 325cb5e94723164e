"""How the links of a handoff service end: their service is retired at a reload, or the router ends.

A service that is retired keeps its links while their replicas have connections, which may want to come back. A router that
ends links no replica any more, and goes when nothing is on its way or waits for a replica that will have room in a moment.
"""

from abc import abstractmethod

from svckit.reactors import Reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall

from ..leftovers import Leftovers
from ..link import Link
from ..service import RoutedService

__all__ = ["HandoffEnding"]


class HandoffEnding:
    """The part of a handoff target that ends it."""

    def __init__(self, service: RoutedService, take_timeout: float, reactor: Reactor) -> None:
        """`take_timeout` is in seconds."""
        self._service, self._take_timeout, self._reactor = service, take_timeout, reactor
        self._leftovers = Leftovers()
        self._links: dict[str, Link] = {}
        self._drained: Deferred[None] | None = None
        self._place_until = 0.0
        self._retired: Deferred[None] | None = None
        self._scanner = LoopingCall(self._tick)
        self._scanner.clock = reactor

    @abstractmethod
    def _tick(self) -> None:
        """Look at the folder and at the links."""

    @abstractmethod
    def tell(self, patterns: tuple[tuple[str, bool], ...]) -> None:
        """Tell the replicas of new routes."""

    def retire(self, patterns: tuple[tuple[str, bool], ...]) -> "Deferred[None]":
        """Link no replica any more. The links stay while their replicas have connections, which may want to come back."""
        self.tell(patterns)
        self._retired = Deferred()
        return self._retired

    def stop(self) -> "Deferred[None]":
        """Drain: fires when each connection that was offered is taken, or was given up."""
        return self.place().addCallback(lambda _: self.close())

    def leave(self) -> None:
        """Take nothing back any more: the router ends, and another one is to have it."""
        for link in self._links.values():
            link.leave()

    def place(self) -> "Deferred[None]":
        """Link no replica any more; fires when `placed` holds. Until `close` connections can still be offered."""
        self._place_until = self._place_until or self._reactor.seconds() + self._take_timeout
        drained = self._drained = Deferred()
        self._look_whether_drained()
        return drained

    @property
    def placed(self) -> bool:
        """Whether nothing is on its way, and nothing waits for a replica that is there and will have room in a moment."""
        links = self._links.values()
        if any(link.untaken for link in links):
            return False
        late = self._reactor.seconds() >= self._place_until
        return late or not self._service.queued or not any(link.has_a_future for link in links)

    def close(self) -> None:
        """End all links."""
        if self._scanner.running:
            self._scanner.stop()
        for link in list(self._links.values()):
            link.revoke()
        self._leftovers.close()

    def _look_whether_drained(self) -> None:
        drained = self._drained
        if drained is not None and not drained.called and self.placed:
            drained.callback(None)
