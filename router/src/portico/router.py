"""The router proper: decides for each connection where it goes. Everything that comes in, comes in here.

Three ways in: a new connection with its first bytes (`admit`), one whose head took its time (`decided`), one that a service
has handed back (`readmit`). One way on: the longest prefix's service. One way out: an answer.
"""

from collections import Counter

from svckit.paths import BadTarget, normalise
from svckit.reactors import Reactor
from svckit.routemap import RouteMap
from twisted.logger import Logger

from .accesslog import AccessLog
from .arrival import Arrival
from .config import Limits
from .core.answers import BAD_REQUEST, NO_ROUTE, SILENT, Answer
from .core.head import read_head
from .linger import Linger
from .patience import Decider, Patience
from .poller import Poller
from .service import RoutedService

__all__ = ["Router"]


class Router(Decider):
    """Routes, and the connections that are being decided on."""

    log = Logger()

    def __init__(self, limits: Limits, poller: Poller, reactor: Reactor, access: AccessLog) -> None:
        self._poller, self._reactor, self._access = poller, reactor, access
        self._head_size = limits.head_size
        self._routes: RouteMap[RoutedService] = RouteMap()
        self.patience = Patience(limits, poller, reactor, self)
        self.counts: Counter[str] = Counter()
        """For `/status`: accepted, returned, and each answered status."""
        self.draining = False

    def use(self, routes: RouteMap[RoutedService]) -> None:
        """From now on these routes hold."""
        self._routes = routes

    # -- ways in

    def admit(self, arrival: Arrival) -> None:
        """A new connection; its preface is what was there at once, perhaps nothing."""
        self.counts["accepted"] += 1
        self._look(arrival)

    def readmit(self, arrival: Arrival) -> None:
        """A service has handed this back, with what it had read and not answered."""
        self.counts["returned"] += 1
        if self.draining and not arrival.preface:
            self.answer(arrival, SILENT)
        else:
            self._look(arrival)

    def _look(self, arrival: Arrival) -> None:
        head = read_head(arrival.preface)
        if head is None or head.end > self._head_size:
            self.patience.wait(arrival)
            return
        arrival.head = head
        self.decided(arrival)

    def decided(self, arrival: Arrival) -> None:
        """The head is there: route it."""
        assert arrival.head is not None
        try:
            service = self._routes.find(normalise(arrival.head.target))
        except BadTarget:
            self.answer(arrival, BAD_REQUEST)
            return
        if service is None:
            self.answer(arrival, NO_ROUTE)
        else:
            service.put_through(arrival)

    # -- the way out

    def answer(self, arrival: Arrival, answer: Answer) -> None:
        """The router answers itself, and closes so that the answer arrives."""
        self.counts[f"answered {answer.status}"] += 1
        self._access.answered(arrival, answer)
        if answer.wire:
            Linger(arrival, answer, self._poller, self._reactor)
        else:
            arrival.close()
