"""Handoff: the accepted socket itself goes to a replica on this host, and the router leaves the data path.

Which replicas there are is read from the service's folder (`socketfiles`): each socket file is one. A file that appears is
linked, a link that ends is forgotten, and what its replica had not taken goes to another one. `handoffending` ends them all.

What a service does with its links costs itself, not the others: links and connections on their way are bounded for each
service.
"""

import resource
from collections.abc import Callable, Collection
from pathlib import Path

from svckit.reactors import Reactor
from twisted.logger import Logger

from ..accesslog import AccessLog
from ..arrival import Arrival, HandedBack
from ..balancing import Balancer
from ..config import Handoff, Limits
from ..core.answers import STRANGE, STRANGE_AND_SILENT
from ..draining import NotThere
from ..link import Link
from ..poller import Poller
from ..provenance import Provenance
from ..service import RoutedService
from .handoffending import HandoffEnding
from .socketfiles import SocketFiles

__all__ = ["HandoffTarget"]

SCAN_INTERVAL = 0.2
"""Seconds between looks into the folder; also how often overdue links are noticed."""
SHARE_ON_THE_WAY = 8
"""A service may have an eighth of the descriptors on their way that the router's user may have (RLIMIT_NOFILE, unix(7))."""


class HandoffTarget(HandoffEnding):
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
        settings: Handoff | None = None,
    ) -> None:
        """`readmit` takes a connection that a replica hands back; `take_timeout` is in seconds."""
        super().__init__(service, take_timeout, reactor)
        self._settings = settings or Handoff()
        self._provenance = Provenance(service.name)
        self._offered = 0  # and not taken
        self._most_on_the_way = max(1, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // SHARE_ON_THE_WAY)
        self._most_replicas = Limits().replicas
        self._folder, self._patterns, self._poller = folder, patterns, poller
        self._readmit, self._access = readmit, access
        self._files = SocketFiles(service.name, folder, self._settings.uid, reactor)
        self.drained: set[str] = set()
        """Socket files of the replicas that an operator wants no new connections to go to."""
        self._balancer = balancer

    # -- target

    def start(self) -> None:
        """Begin to look for replicas."""
        self._scanner.start(SCAN_INTERVAL)

    def offer(self, arrival: Arrival) -> bool:
        """Send it to the first choice that takes it."""
        if self._offered + self._leftovers.count >= self._most_on_the_way:
            return False
        willing = [link for link in self._links.values() if link.willing]
        for link in self._balancer.order(willing, arrival):
            if link.offer(arrival):
                self._offered += 1
                return True
        return False

    def tell(self, patterns: tuple[tuple[str, bool], ...]) -> None:
        """Tell the replicas of new routes."""
        if patterns != self._patterns:
            self._patterns = patterns
            for link in self._links.values():
                link.tell(patterns)

    def heed(self, limits: Limits) -> None:
        """How long a replica may take to take a connection, and how many there may be."""
        self._take_timeout, self._most_replicas = limits.take_timeout, limits.replicas

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
        self._leftovers.look()
        for link in list(self._links.values()):
            if link.overdue > self._take_timeout:
                self._give_up(link)
        if self._retired is not None:
            if self._drained is None and not any(link.load or link.untaken for link in self._links.values()):
                self.stop().chainDeferred(self._retired)
        else:
            if self._drained is None:
                self._scan()
            self._service.room()  # also after ETOOMANYREFS, which has no event of its own
        self._look_whether_drained()

    def _scan(self) -> None:
        found = self._files.look()
        if found is None:
            return
        self.drained.intersection_update(found)
        for path, sock in self._files.fresh(self._links, self._most_replicas - len(self._links)):
            name = self._service.name
            link = Link(sock, path, name, self._patterns, self, self._poller, self._reactor.seconds, self._provenance)
            link.drained = path in self.drained
            self._links[path] = link

    def _give_up(self, link: Link) -> None:
        self.log.warn(
            "{service}: {replica} takes nothing, its link is given up", service=self._service.name, replica=link.replica
        )
        self._files.suspend(link.path)
        link.revoke()

    # -- what links tell

    def ready(self, link: Link) -> None:
        """A replica is there, or has room again."""
        self._service.room()

    def taken(self, link: Link, arrivals: list[Arrival]) -> None:
        """Our part is done: log them and let go of our descriptors."""
        self._access.handed_over(arrivals, link.replica)
        for arrival in arrivals:
            arrival.let_go()
        was_full = self._offered + self._leftovers.count >= self._most_on_the_way
        self._offered -= len(arrivals)
        if was_full:
            self._service.room()
        self._look_whether_drained()

    def returned(self, link: Link, arrivals: list[HandedBack]) -> None:
        """The replica gave these back."""
        for arrival in arrivals:
            if arrival.doubt is None and not self._settings.hand_back:
                arrival.doubt = STRANGE if arrival.preface else STRANGE_AND_SILENT
            if arrival.doubt is None:
                self._readmit(arrival)
            else:
                self._service.refuse(arrival, arrival.doubt)

    def ended(self, link: Link, reclaimed: list[Arrival]) -> None:
        """The replica is gone; what it had not taken goes to another one."""
        if self._links.get(link.path) is link:
            del self._links[link.path]
            if link.path not in self._files.suspended and not link.breached:
                self.drained.discard(link.path)
        self._offered -= len(reclaimed)
        if link.leftover is not None:
            self._leftovers.keep(link.leftover, len(reclaimed))
        self._files.has_held(link.path, self._reactor.seconds() - link.since)
        if link.breached:
            self._files.suspend(link.path)
        self.log.info(
            "{service}: {replica} is gone, {count} connections go elsewhere",
            service=self._service.name,
            replica=link.replica,
            count=len(reclaimed),
        )
        for arrival in reclaimed:
            arrival.was_out()
            self._service.put_through(arrival)
        self._look_whether_drained()
