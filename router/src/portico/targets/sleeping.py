"""Sessions between two requests that are records (`resting`) until the client says something, or its time is up.

A session that is woken has no last request to compare the next one with; everything else is as it was.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from svckit.reactors import Reactor

from ..core.termination import CLIENT_TIME, REQUEST
from ..expiry import Expiring
from ..places import ClientSocket
from ..poller import Poller, Stirs
from ..resting import Resting, when_of
from .crowd import QUIET, Crowd
from .leaving import Leaving
from .session import Session

if TYPE_CHECKING:
    from .split import Split

__all__ = ["Sleeping"]


class Sleeping:
    """Those of one service. `awake` are the others, which come and go from here."""

    def __init__(
        self,
        split: "Split",
        awake: set[Leaving],
        idle_timeout: float,
        poller: Poller,
        reactor: Reactor,
        fewer: Callable[[], None],
    ) -> None:
        """`fewer` is called when one is lost."""
        self._split, self._awake, self._idle_timeout, self._poller = split, awake, idle_timeout, poller
        self._fewer = fewer
        self._resting = Resting()
        # each in the order in which their times are up, which is that in which they were laid down
        self._early: Expiring[bytes] = Expiring(reactor, when_of, self._expired)
        self._late: Expiring[bytes] = Expiring(reactor, when_of, self._expired)
        self._common: Stirs = self._stirs  # one object for all
        self._crowd = Crowd()

    def __len__(self) -> int:
        return len(self._early) + len(self._late)

    @property
    def full(self) -> int:
        """How many may be awake before it is looked which of them are quiet."""
        return self._crowd.full

    def look(self, now: float) -> None:
        """Lay down those that have been idle for long."""
        since = now - QUIET
        self._lay_down([session for session in self._awake if session.idle_since < since and session.may_rest], self._late)
        self._crowd.calmed(len(self._awake))

    def look_at_crowd(self, since: float) -> None:
        """Lay down those that have been idle since before the last look, which was then, and have never rested."""
        fresh = [session for session in self._awake if not session.woken and session.idle_since < since]
        self._lay_down([session for session in fresh if session.may_rest], self._early)
        self._crowd.looked(len(self._awake))

    def _lay_down(self, quiet: list[Leaving], records: "Expiring[bytes]") -> None:
        quiet.sort(key=_idle_since)
        for session in quiet[: self._crowd.at_most(len(self._awake))]:
            self._lay_down_one(session, records)

    def _lay_down_one(self, session: Leaving, records: "Expiring[bytes]") -> None:
        arrival, due = session.arrival, session.idle_since + self._idle_timeout
        sock = arrival.sock
        assert isinstance(sock, ClientSocket)
        descriptor = sock.fileno()
        if not records.would_take(descriptor, due):
            return
        record = self._resting.record(arrival, session.replica, session.up, session.down.moved, due)
        if record is None:
            return
        records.put(descriptor, record)
        self._poller.rest(descriptor, self._common)
        session.lay_down()
        self._awake.discard(session)
        sock.lay_down()

    # -- waking

    def each(self) -> Iterator[Leaving]:
        """Wake them one after the other, as what is done with one may end others."""
        for descriptor, _ in (*self._early.all(), *self._late.all()):
            record = self._get(descriptor)
            if record is not None:
                yield self._wake(descriptor, record)

    def _stirs(self, descriptor: int, events: int) -> None:
        record = self._get(descriptor)
        if record is not None:
            self._wake(descriptor, record)
            self._poller.tell(descriptor, events)
            self._split.look_whether_crowded()

    def _get(self, descriptor: int) -> bytes | None:
        return self._early.get(descriptor) or self._late.get(descriptor)

    def _expired(self, descriptor: int, record: bytes) -> None:
        self._wake(descriptor, record).end(CLIENT_TIME + REQUEST)

    def _wake(self, descriptor: int, record: bytes) -> Session:
        woken = self._resting.wake(descriptor, record)
        self._early.discard(descriptor)
        self._late.discard(descriptor)
        arrival, replica = woken.arrival, woken.server
        assert isinstance(replica, str)
        try:
            session = Session(arrival, self._split)
            session.resume(replica, woken.up, woken.down, when_of(record) - self._idle_timeout)
        except BaseException:
            # no trace of it may stay: its descriptor is somebody else's soon
            self._poller.remove_common(descriptor)
            arrival.close()
            self._fewer()
            raise
        self._awake.add(session)
        return session


def _idle_since(session: Leaving) -> float:
    return session.idle_since
