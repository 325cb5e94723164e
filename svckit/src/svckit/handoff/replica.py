"""The replica side of the handoff: a socket file that stands for this replica, and the connections that came through it.

Appearing is registering: the router finds the file in the service's folder and connects. Unlinking is draining. The end of a
link is the death of a router, which costs the connections here nothing.

Drain, in this order: unlink the file; say DRAINING on every link; drain the connections (`svckit.live`); go when every router
has said farewell and taken what was handed back.
"""

import errno
import os
import resource
import socket
from pathlib import Path

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IProtocolFactory
from twisted.logger import Logger

from ..lease import Ownership
from ..live import GOODBYE_TIME, LiveConnections
from ..reactors import Reactor
from ..settings import HAND_BACK_TIMEOUT, Settings
from .codec import VERSION, Connection, Hello
from .given import socket_of
from .lastword import LastWord
from .link import Link, Returned
from .peers import NotTheRouter, let_in
from .returning import Returning
from .socketfile import bind, sweep

__all__ = ["HAND_BACK_TIMEOUT", "HandoffReplica"]

LOAD_DELAY = 0.05
"""Seconds; changes of the load within it are reported together."""
FAREWELL_TIME = 2.0
"""Seconds that a drain, when no connection is left, waits for routers that do not say farewell."""
REST = 0.1
"""Seconds without accepting links when descriptors have run out."""
RESERVED_DESCRIPTORS = 64
"""Descriptors that connections may not use: files, links, logs."""


class HandoffReplica(Service):
    """Serves the connections that routers hand over to this replica."""

    log = Logger()

    def __init__(self, settings: Settings, factory: IProtocolFactory, folder: Path, reactor: Reactor) -> None:
        """`folder` is the service's own: its socket files are its replicas."""
        self._settings, self._factory, self._reactor = settings, factory, reactor
        self.path = folder / f"{settings.replica}.sock"
        self.ownership = Ownership()
        self._listener: socket.socket | None = None
        self._links: set[Link] = set()
        self._live = LiveConnections(factory, self.ownership, reactor, settings.drain_time, self._fewer)
        self._returning = Returning(
            self._links,
            settings.hand_back_timeout,
            reactor.callLater,
            lambda sock, answer: LastWord(sock, answer, reactor),
            self._look_whether_drained,
        )
        self._load_report: IDelayedCall | None = None
        self._drained: Deferred[None] | None = None
        self._last_call: IDelayedCall | None = None
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._capacity = max(1, soft - RESERVED_DESCRIPTORS)

    # -- service

    def startService(self) -> None:
        """Listen; from now on routers find this replica."""
        super().startService()
        self._factory.doStart()
        sweep(self.path.parent)
        self._listener = bind(self.path)
        self._reactor.addReader(self)  # type: ignore[arg-type]
        self.log.info("{service} is ready at {path}", service=self._settings.service, path=str(self.path))

    def stopService(self) -> Deferred[None]:
        """Drain; fires when every connection has ended or is in other hands."""
        super().stopService()
        if self._drained is not None or self._listener is None:
            return succeed(None)
        drained = self._drained = Deferred()
        drained.addCallback(lambda _: self._close_links())
        self.path.unlink(missing_ok=True)
        self._reactor.removeReader(self)  # type: ignore[arg-type]
        self._listener.close()
        self._listener = None
        for link in list(self._links):
            link.say_draining()
        self._live.drain()
        longest = self._settings.drain_time + GOODBYE_TIME + FAREWELL_TIME
        self._last_call = self._reactor.callLater(longest, self._go_anyway)
        self._look_whether_drained()
        return drained

    # -- descriptor of the reactor: the listening socket

    def fileno(self) -> int:
        """For the reactor."""
        return -1 if self._listener is None else self._listener.fileno()

    def logPrefix(self) -> str:
        """For the reactor."""
        return "handoff"

    def doRead(self) -> None:
        """A router connects."""
        assert self._listener is not None
        try:
            sock = let_in(self._listener, self._settings.router_uid)
        except NotTheRouter as other:
            self.log.error("{other}", other=str(other), uid=other.uid, router=other.router)
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                self._reactor.removeReader(self)  # type: ignore[arg-type]
                self._reactor.callLater(REST, self._rested)
        else:
            self._links.add(Link(sock, self, self._reactor))

    def _rested(self) -> None:
        if self._listener is not None:
            self._reactor.addReader(self)  # type: ignore[arg-type]

    def connectionLost(self, reason: object) -> None:
        """For the reactor, at its end."""
        self.path.unlink(missing_ok=True)
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    # -- what links tell

    def hello(self) -> Hello:
        """Who we are."""
        return Hello(VERSION, self._capacity, self._settings.service, self._settings.replica)

    def load(self) -> int:
        """How many connections are open here."""
        return len(self._live)

    def routes(self, patterns: tuple[tuple[str, bool], ...]) -> None:
        """The router's routes, to know which requests are ours."""
        self.ownership.update(patterns)

    def adopt(self, connection: Connection, descriptor: int, link: Link) -> None:
        """A connection is ours to answer."""
        try:
            sock = socket_of(connection, descriptor)
        except OSError:
            os.close(descriptor)
            return
        client, listener, tls, seal = connection.client, connection.listener, connection.tls, connection.seal
        self._live.take(
            sock,
            client,
            connection.unread,
            lambda sock, unread: self._returning.send(Returned(sock, client, listener, unread, tls, seal), link),
            listener,
            tls,
        )
        if len(self._links) > 1:
            self._load_has_changed()  # this router is told by TAKEN, the others are not

    def welcomed(self, link: Link) -> None:
        """A router is there: it takes what waited for one."""
        if self._drained is not None:
            link.say_draining()
        self._returning.welcomed(link)

    def farewell(self, link: Link) -> None:
        """This router will send nothing more."""
        self._look_whether_drained()

    def ended(self, link: Link, returned: list[Returned]) -> None:
        """A router is gone; what it had not taken of our hand-backs waits for another."""
        self._links.discard(link)
        for each in returned:
            self._returning.send(each, None)
        self._look_whether_drained()

    # -- load and drain

    def _fewer(self) -> None:
        self._load_has_changed()
        self._look_whether_drained()

    def _load_has_changed(self) -> None:
        if self._load_report is None:
            self._load_report = self._reactor.callLater(LOAD_DELAY, self._report_load)

    def _report_load(self) -> None:
        self._load_report = None
        for link in list(self._links):
            link.say_load()

    def _look_whether_drained(self) -> None:
        """Drained: no connection, none on its way in (each router has said farewell), none on its way back."""
        drained = self._drained
        if drained is None or drained.called or self._live or self._returning:
            return
        if all(link.ended or (link.said_farewell and link.settled) for link in self._links):
            drained.callback(None)

    def _go_anyway(self) -> None:
        assert self._drained is not None
        if not self._drained.called:
            self.log.warn("a router says no farewell, or none is there to hand back to: no longer waited for")
            self._drained.callback(None)

    def _close_links(self) -> None:
        if self._last_call is not None and self._last_call.active():
            self._last_call.cancel()
        self._returning.stop_waiting()
        for link in list(self._links):
            link.end()
        self._returning.close()
        if self._load_report is not None:
            self._load_report.cancel()
            self._load_report = None
        self._factory.doStop()
