"""Handoff: the accepted socket itself goes to a replica on this host, and the router leaves the data path.

Which replicas there are is read from the service's folder: each socket file is one. A file that appears is linked, a link that
ends is forgotten, and what its replica had not taken goes to another one.
"""

from collections.abc import Callable, Collection
from pathlib import Path

from svckit.handoff import socketfile
from svckit.reactors import Reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from ..accesslog import AccessLog
from ..arrival import Arrival
from ..balancing import Balancer
from ..config import Limits
from ..draining import NotThere
from ..link import Link
from ..poller import Poller
from ..service import RoutedService

__all__ = ["HandoffTarget"]

SCAN_INTERVAL = 0.2
"""Seconds between looks into the folder; also how often overdue links are noticed."""
SUSPENSION = 1.0
"""Seconds until a replica whose link was given up is linked again."""


class HandoffTarget:
    """The replicas of one service on this host."""

    log = Logger()

    def __init__(
        self,
        service: RoutedService,
        folder: Path,
        patterns: tuple[tuple[str, bool], ...],
        take_timeout: float,
        poller: Poller,
        reactor: Reactor,
        readmit: Callable[[Arrival], None],
        access: AccessLog,
        balancer: Balancer,
    ) -> None:
        """`readmit` takes a connection that a replica hands back; `take_timeout` is in seconds."""
        self._service, self._folder, self._patterns = service, folder, patterns
        self._take_timeout, self._poller, self._reactor = take_timeout, poller, reactor
        self._readmit, self._access = readmit, access
        self._links: dict[str, Link] = {}
        self._suspended: dict[str, float] = {}
        self.drained: set[str] = set()
        """Socket files of the replicas that an operator wants no new connections to go to."""
        self._balancer = balancer
        self._drained: Deferred[None] | None = None
        self._retired: Deferred[None] | None = None
        self._scanner = LoopingCall(self._tick)
        self._scanner.clock = reactor

    # -- target

    def start(self) -> None:
        """Begin to look for replicas."""
        self._scanner.start(SCAN_INTERVAL)

    def offer(self, arrival: Arrival) -> bool:
        """Send it to the first choice that takes it."""
        willing = [link for link in self._links.values() if link.willing]
        return any(link.offer(arrival) for link in self._balancer.order(willing, arrival))

    def tell(self, patterns: tuple[tuple[str, bool], ...]) -> None:
        """Tell the replicas of new routes."""
        if patterns != self._patterns:
            self._patterns = patterns
            for link in self._links.values():
                link.tell(patterns)

    def heed(self, limits: Limits) -> None:
        """How long a replica may take to take a connection."""
        self._take_timeout = limits.take_timeout

    def retire(self, patterns: tuple[tuple[str, bool], ...]) -> "Deferred[None]":
        """Link no replica any more. The links stay while their replicas have connections, which may want to come back."""
        self.tell(patterns)
        self._retired = Deferred()
        return self._retired

    def stop(self) -> "Deferred[None]":
        """Drain: fires when each connection that was offered is taken, or was given up."""
        drained = self._drained = Deferred()
        drained.addCallback(lambda _: self._close())
        self._look_whether_drained()
        return drained

    def _close(self) -> None:
        if self._scanner.running:
            self._scanner.stop()
        for link in list(self._links.values()):
            link.revoke()

    def drain(self, replica: str, drained: bool) -> None:
        """Its connections stay with it: they are out of our hands.

        Raises:
            NotThere: there is none of this name.
        """
        named = [link for link in self._links.values() if link.replica == replica]
        if not named:
            raise NotThere(f"has no replica {replica}")
        for link in named:
            link.drained = drained
            (self.drained.add if drained else self.drained.discard)(link.path)
        self._service.room()

    def inherit(self, drained: Collection[str]) -> None:
        """They are linked anew, and stay drained."""
        self.drained.update(drained)

    def status(self) -> dict[str, object]:
        """The replicas."""
        return {"target": "handoff", "folder": str(self._folder), "replicas": [link.status() for link in self._links.values()]}

    # -- the folder

    def _tick(self) -> None:
        for link in list(self._links.values()):
            if link.overdue > self._take_timeout:
                self._give_up(link)
        if self._retired is not None:
            if self._drained is None and not any(link.load or link.untaken for link in self._links.values()):
                self.stop().chainDeferred(self._retired)
        elif self._drained is None:
            self._scan()
            self._service.room()  # also after ETOOMANYREFS, which has no event of its own
        self._look_whether_drained()

    def _scan(self) -> None:
        now = self._reactor.seconds()
        try:
            found = [str(path) for path in self._folder.glob("*.sock")]
        except OSError:
            return
        self.drained.intersection_update(found)
        for path in found:
            if path not in self._links and self._suspended.get(path, 0.0) <= now:
                self._suspended.pop(path, None)
                self._connect(path)

    def _connect(self, path: str) -> None:
        try:
            sock = socketfile.connect(path)
        except OSError:  # a dead replica's file, or one that is not ready
            return
        name = self._service.name
        link = self._links[path] = Link(sock, path, name, self._patterns, self, self._poller, self._reactor.seconds)
        link.drained = path in self.drained

    def _give_up(self, link: Link) -> None:
        self.log.warn(
            "{service}: {replica} takes nothing, its link is given up", service=self._service.name, replica=link.replica
        )
        self._suspended[link.path] = self._reactor.seconds() + SUSPENSION
        link.revoke()

    # -- what links tell

    def ready(self, link: Link) -> None:
        """A replica is there, or has room again."""
        self._service.room()

    def taken(self, link: Link, arrival: Arrival) -> None:
        """Our part is done: log it and let go of our descriptor."""
        self._access.put_through(arrival, "handed over", link.replica)
        arrival.close()
        self._look_whether_drained()

    def returned(self, link: Link, arrivals: list[Arrival]) -> None:
        """The replica gave these back."""
        for arrival in arrivals:
            self._readmit(arrival)

    def ended(self, link: Link, reclaimed: list[Arrival]) -> None:
        """The replica is gone; what it had not taken goes to another one."""
        if self._links.get(link.path) is link:
            del self._links[link.path]
            if link.path not in self._suspended:
                self.drained.discard(link.path)
        self.log.info(
            "{service}: {replica} is gone, {count} connections go elsewhere",
            service=self._service.name,
            replica=link.replica,
            count=len(reclaimed),
        )
        for arrival in reclaimed:
            self._service.put_through(arrival)
        self._look_whether_drained()

    def _look_whether_drained(self) -> None:
        drained = self._drained
        if drained is not None and not drained.called and not any(link.untaken for link in self._links.values()):
            drained.callback(None)
