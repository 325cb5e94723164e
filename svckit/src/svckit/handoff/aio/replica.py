"""The replica side of the handoff for asyncio: a socket file that stands for this replica, and what came through it.

Appearing is registering, unlinking is draining, the end of a link is the death of a router: see `docs/handoff-protocol.md`.
"""

import asyncio
import contextlib
import logging
import os
import resource
import socket
from collections.abc import Callable
from pathlib import Path

from ...ownership import Ownership
from ...settings import HAND_BACK_TIMEOUT
from ..codec import VERSION, Connection, Hello
from ..given import socket_of
from ..returning import Returning
from .accepted import Accepted, Returned
from .door import Door
from .lastword import LastWord
from .link import Link

__all__ = ["Replica"]

LOAD_DELAY = 0.05
"""Seconds; changes of the load within it are reported together."""
GOODBYE_TIME = 3.0
"""Seconds between the goodbye at the end of the drain time and the abort."""
FAREWELL_TIME = 2.0
"""Seconds that a drain, when no connection is left, waits for routers that do not say farewell."""
RESERVED_DESCRIPTORS = 64
"""Descriptors that connections may not use: files, links, logs."""

log = logging.getLogger("svckit.handoff")


class Replica:
    """Gives the connections that routers hand over to `serve`, one call for each."""

    def __init__(
        self,
        service: str,
        name: str,
        folder: Path,
        serve: Callable[[Accepted], None],
        router_uid: int | None = None,
        hand_back_timeout: float = HAND_BACK_TIMEOUT,
    ) -> None:
        """`folder` is the service's own: its socket files are its replicas. `name` is this one's, unique among them.

        `serve` is called in the event loop and must not wait. `router_uid` is the user as whom the router runs: nobody else is
        linked; None: whoever may open the socket file. `hand_back_timeout` is how many seconds a hand-back waits for a router
        while there is none; in a drain no longer than that lasts.
        """
        self._service, self._name, self._serve = service, name, serve
        self.path = folder / f"{name}.sock"
        self.ownership = Ownership()
        """Which requests are this service's, as the routers said last."""
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.capacity = max(1, soft - RESERVED_DESCRIPTORS)
        """Connections that may be open here; routers are told when they link."""
        self._door = Door(self.path, router_uid, self._link)
        self._links: set[Link] = set()
        self._open: dict[Accepted, Link | None] = {}
        self._returning = Returning(self._links, hand_back_timeout, _later, _last_word, self._look_whether_drained)
        self._load_report: asyncio.TimerHandle | None = None
        self._drained: asyncio.Event | None = None

    def __len__(self) -> int:
        """Connections that are open here."""
        return len(self._open)

    @property
    def draining(self) -> bool:
        return self._drained is not None

    def start(self) -> None:
        """Listen, in the running event loop; from now on routers find this replica.

        Raises:
            OSError: the folder is not ours to write in, or a living replica has this name.
        """
        self._loop = asyncio.get_running_loop()
        self._door.open(self._loop)
        log.info("%s is ready at %s", self._service, self.path)

    def _link(self, sock: socket.socket) -> None:
        self._links.add(Link(sock, self, self._loop))

    # -- what links tell

    def hello(self) -> Hello:
        """Who we are."""
        return Hello(VERSION, self.capacity, self._service, self._name)

    def load(self) -> int:
        """How many connections are open here."""
        return len(self._open)

    def routes(self, patterns: tuple[tuple[str, bool], ...]) -> None:
        """The router's routes, to know which requests are ours."""
        self.ownership.update(patterns)

    def adopt(self, connection: Connection, descriptor: int, link: Link) -> None:
        """A connection is ours to answer."""
        try:
            sock = socket_of(connection, descriptor)
        except OSError:
            os.close(descriptor)  # no socket at all
            return
        sock.setblocking(False)
        accepted = Accepted(sock, connection, self._over)
        self._open[accepted] = link
        try:
            self._serve(accepted)
        except Exception:
            log.exception("a connection could not be served")
            accepted.ended()
            sock.close()
        if self.draining and accepted in self._open:
            _call(accepted.drain)

    def welcomed(self, link: Link) -> None:
        """A router is there: it takes what waited for one."""
        if self.draining:
            link.say_draining()
        self._returning.welcomed(link)

    def farewell(self, link: Link) -> None:
        """This router will send nothing more."""
        self._look_whether_drained()

    def ended(self, link: Link, returned: list[Returned]) -> None:
        """A router is gone; what it had not taken of our hand-backs waits for another."""
        self._links.discard(link)
        for accepted, came_by in self._open.items():
            if came_by is link:
                self._open[accepted] = None
        for each in returned:
            self._returning.send(each, None)
        self._look_whether_drained()

    # -- connections that end, or go back

    def _over(self, accepted: Accepted, returned: Returned | None) -> None:
        link = self._open.pop(accepted)
        if returned is not None:
            self._returning.send(returned, link)
        if self._load_report is None:
            self._load_report = self._loop.call_later(LOAD_DELAY, self._report_load)
        self._look_whether_drained()

    def _report_load(self) -> None:
        self._load_report = None
        for link in list(self._links):
            link.say_load()

    # -- drain

    async def drain(self, seconds: float) -> None:
        """Take no more, and return when every connection has ended or is in other hands; `seconds` is what they have for it.

        After that they are told to say goodbye, `GOODBYE_TIME` later they are cut, and routers that say no farewell are waited
        for `FAREWELL_TIME` more.
        """
        if not self._door.is_open:
            return
        drained = self._drained = asyncio.Event()
        self._door.close()
        for link in list(self._links):
            link.say_draining()
        if self._open:
            log.info("draining %d connections", len(self._open))
        self._tell_all(lambda accepted: accepted.drain())
        self._look_whether_drained()
        if not await _within(drained, seconds) and self._open:
            log.info("the drain time is up, %d connections are open", len(self._open))
            self._tell_all(lambda accepted: accepted.on_expire())
            if not await _within(drained, GOODBYE_TIME):
                self._tell_all(lambda accepted: accepted.cut())
        if not await _within(drained, FAREWELL_TIME):
            log.warning("a router says no farewell, or none is there to hand back to: no longer waited for")
        self.close()

    def _tell_all(self, what: Callable[[Accepted], None]) -> None:
        for accepted in list(self._open):
            _call(lambda accepted=accepted: what(accepted))  # type: ignore[misc]

    def _look_whether_drained(self) -> None:
        """Drained: no connection, none on its way in (each router has said farewell), none on its way back."""
        if self._drained is None or self._open or self._returning:
            return
        if all(link.ended or (link.said_farewell and link.settled) for link in self._links):
            self._drained.set()

    def close(self) -> None:
        """End at once, whatever is open; a `drain` ends with this."""
        self._door.close()
        self._returning.stop_waiting()
        for link in list(self._links):
            link.end()
        self._returning.close()
        if self._load_report is not None:
            self._load_report.cancel()
            self._load_report = None


async def _within(event: asyncio.Event, seconds: float) -> bool:
    """Whether it comes in time."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
    return event.is_set()


def _later(seconds: float, what: Callable[[], None]) -> asyncio.TimerHandle:
    return asyncio.get_running_loop().call_later(seconds, what)


def _last_word(sock: socket.socket, answer: bytes) -> None:
    LastWord(sock, answer, asyncio.get_running_loop())


def _call(what: Callable[[], None]) -> None:
    """One connection's failure is not another's."""
    try:
        what()
    except Exception:
        log.exception("a connection failed in the drain")
