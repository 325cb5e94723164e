"""Handoff: the accepted socket itself goes to a replica on this host, and the router leaves the data path.

Which replicas there are is read from the service's folder: each socket file is one. A file that appears is linked, a link that
ends is forgotten, and what its replica had not taken goes to another one.

What a service does with its folder and its links costs itself, not the others: files, links, and connections on their way are
bounded for each service, and a replica that breaks the protocol is left alone for longer each time.
"""

import os
import resource
from collections.abc import Callable, Collection
from itertools import chain, islice
from pathlib import Path

from svckit.handoff import socketfile
from svckit.handoff.peers import OVERFLOW, uid_of_peer
from svckit.reactors import Reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from ..accesslog import AccessLog
from ..arrival import Arrival, HandedBack
from ..balancing import Balancer
from ..config import Handoff, Limits
from ..core.answers import STRANGE, STRANGE_AND_SILENT
from ..draining import NotThere
from ..leftovers import Leftovers
from ..link import Link
from ..poller import Poller
from ..provenance import Provenance
from ..service import RoutedService

__all__ = ["HandoffTarget"]

SCAN_INTERVAL = 0.2
"""Seconds between looks into the folder; also how often overdue links are noticed."""
SUSPENSION = 1.0
"""Seconds until a replica whose link was given up is linked again; twice as many each time that it happens again."""
LONGEST_SUSPENSION = 60.0
"""Seconds; a link that has held for so long makes up for what was before."""
ENTRIES = 4_096
"""Entries of the folder that are looked at."""
LINKS_AT_ONCE = 16
"""New links in one look."""
TRIES_AT_ONCE = 128
"""Files that are tried in one look; those that have refused come after all others, the longest ago first."""
SHARE_ON_THE_WAY = 8
"""A service may have an eighth of the descriptors on their way that the router's user may have (RLIMIT_NOFILE, unix(7))."""


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
        settings: Handoff | None = None,
    ) -> None:
        """`readmit` takes a connection that a replica hands back; `take_timeout` is in seconds."""
        self._settings = settings or Handoff()
        self._provenance = Provenance(service.name)
        self._leftovers = Leftovers()
        self._offered = 0  # and not taken
        self._most_on_the_way = max(1, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // SHARE_ON_THE_WAY)
        self._most_replicas = Limits().replicas
        self._service, self._folder, self._patterns = service, folder, patterns
        self._take_timeout, self._poller, self._reactor = take_timeout, poller, reactor
        self._readmit, self._access = readmit, access
        self._links: dict[str, Link] = {}
        self._suspended: dict[str, tuple[float, float]] = {}  # until when, and for how long
        self._refused: dict[str, int] = {}  # dead files by their inodes, the one that was tried last at the end
        self.drained: set[str] = set()
        """Socket files of the replicas that an operator wants no new connections to go to."""
        self._balancer = balancer
        self._drained: Deferred[None] | None = None
        self._place_until = 0.0
        self._retired: Deferred[None] | None = None
        self._scanner = LoopingCall(self._tick)
        self._scanner.clock = reactor

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
        now = self._reactor.seconds()
        try:
            owner = self._folder.stat().st_uid
            with os.scandir(self._folder) as entries:
                found = {entry.path: entry.inode() for entry in islice(entries, ENTRIES) if _is_name(entry.name)}
        except OSError:
            return
        self.drained.intersection_update(found)
        self._suspended = {
            path: (until, span)
            for path, (until, span) in self._suspended.items()
            if path in found or until + LONGEST_SUSPENSION > now
        }
        self._refused = {path: inode for path, inode in self._refused.items() if found.get(path) == inode}
        ordered = chain((path for path in found if path not in self._refused), list(self._refused))
        fresh = (path for path in ordered if path not in self._links and self._suspended.get(path, (0.0, 0.0))[0] <= now)
        room = min(LINKS_AT_ONCE, self._most_replicas - len(self._links))
        for path in islice(fresh, TRIES_AT_ONCE):
            if room <= 0:
                return
            room -= self._connect(path, found[path], owner)

    def _connect(self, path: str, inode: int, folder_owner: int) -> bool:
        """Whether somebody is there."""
        self._refused.pop(path, None)
        try:
            sock = socketfile.connect(path)
        except OSError:  # a dead replica's file, or one that is not ready
            self._refused[path] = inode
            return False
        name = self._service.name
        uid, expected = uid_of_peer(sock), self._uid(folder_owner)
        if expected is not None and uid != expected:
            self.log.error(
                "{service}: {path} is not linked: user {uid} listens there, and {source} says {expected}",
                service=name,
                path=path,
                uid=uid,
                expected=expected,
                source="the folder's owner" if self._settings.uid is None else "`uid` in the configuration",
            )
            sock.close()
            self._suspend(path)
            return True
        link = Link(sock, path, name, self._patterns, self, self._poller, self._reactor.seconds, self._provenance)
        link.drained = path in self.drained
        self._links[path] = link
        return True

    def _uid(self, folder_owner: int) -> int | None:
        """The user whose replicas are linked; None where nothing tells.

        A folder that belongs to root or to the router's own user was made for the service and not by it.
        """
        if self._settings.uid is not None:
            return self._settings.uid
        return None if folder_owner in (0, os.getuid(), OVERFLOW) else folder_owner

    def _suspend(self, path: str) -> None:
        span = min(LONGEST_SUSPENSION, self._suspended.get(path, (0.0, SUSPENSION / 2))[1] * 2)
        self._suspended[path] = self._reactor.seconds() + span, span

    def _give_up(self, link: Link) -> None:
        self.log.warn(
            "{service}: {replica} takes nothing, its link is given up", service=self._service.name, replica=link.replica
        )
        self._suspend(link.path)
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
            if link.path not in self._suspended and not link.breached:
                self.drained.discard(link.path)
        self._offered -= len(reclaimed)
        if link.leftover is not None:
            self._leftovers.keep(link.leftover, len(reclaimed))
        if self._reactor.seconds() - link.since > LONGEST_SUSPENSION:
            self._suspended.pop(link.path, None)
        if link.breached:
            self._suspend(link.path)
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

    def _look_whether_drained(self) -> None:
        drained = self._drained
        if drained is not None and not drained.called and self.placed:
            drained.callback(None)


def _is_name(file: str) -> bool:
    """Of a socket file. What cannot be printed, or written as UTF-8, is nobody's name: it would get into logs and status."""
    return file.endswith(".sock") and file.isprintable()
