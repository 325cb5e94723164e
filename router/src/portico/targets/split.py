"""All sessions of one tcp service, and the connections to its replicas that they share.

One timer looks at everything that is idle, once a second: a request costs no timer of its own, and an idle time is exact to a
second.
"""

from functools import partial
from itertools import chain

from svckit.lease import Ownership
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import LoopingCall

from ..arrival import Arrival, RawSocket
from ..config import Limits, Tcp
from ..core.termination import CLIENT_TIME, OPERATOR, REQUEST
from ..linger import Linger
from ..pipes import Pipes
from ..poller import Poller
from .backend import Backend
from .connect import Connecting, Replica
from .exits import Exits, Outside
from .owned import Owned
from .pool import Pool
from .replicas import Replicas
from .session import Session
from .sleeping import Sleeping
from .stalled import Stalled

__all__ = ["SWEEP_INTERVAL", "Split"]

SWEEP_INTERVAL = 1.0
"""Seconds between two looks at what is idle."""
LAST_REQUESTS = 1.0
"""Seconds in a drain (at most half of it) for idle clients to ask once more, and be told that it was the last time."""


class Split(Owned, Exits):
    """The sessions of one service."""

    def __init__(
        self,
        settings: Tcp,
        limits: Limits,
        ownership: Ownership,
        replicas: Replicas,
        poller: Poller,
        pipes: Pipes,
        outside: Outside,
    ) -> None:
        Owned.__init__(self, ownership)
        Exits.__init__(self, outside)
        reactor = outside.reactor
        self.poller, self.pipes = poller, pipes
        self.linger = Linger(poller, reactor)
        self.head_size, self.head_fields = limits.head_size, limits.head_fields
        self.draining = self.ending = False
        self._keeps = True
        self._last_requests = min(LAST_REQUESTS, limits.drain_time / 2)
        self._last_call: IDelayedCall | None = None
        self.now = reactor.seconds()
        """The time of the last sweep."""
        self._settings, self._idle_timeout = settings, limits.idle_timeout
        self._replicas, self._candidates = replicas, replicas.order
        self.bounded = replicas.bounded
        """Whether a request may find all replicas full."""
        self.pool = Pool(settings.idle_connections, settings.idle_time, self.bounded)
        self._stalled = Stalled(settings.answer_timeout, settings.exchange_idle)
        self._sleeping = Sleeping(self, self._sessions, limits.idle_timeout, poller, reactor, outside.fewer)
        self._sweeper = LoopingCall(self._sweep)
        self._sweeper.clock = reactor

    def __len__(self) -> int:
        return len(self._sessions) + len(self._sleeping)

    def start(self) -> None:
        """Begin to look at what is idle."""
        self._sweeper.start(SWEEP_INTERVAL)

    def take(self, arrival: Arrival) -> None:
        """Serve the connection, whose first request is there."""
        session = Session(arrival, self)
        self._sessions.add(session)
        session.start()
        self.look_whether_crowded()

    def look_whether_crowded(self) -> None:
        """One more is awake: where they are many now, those that have asked nothing since the last look are laid down."""
        if len(self._sessions) >= self._sleeping.full:
            since, self.now = self.now, self.reactor.seconds()
            self._sleeping.look_at_crowd(since)

    def _sweep(self) -> None:
        self.now = now = self.reactor.seconds()
        self.pool.sweep(now)
        for session in [each for each in self._sessions if each.idle and now - each.idle_since >= self._idle_timeout]:
            session.end(CLIENT_TIME + REQUEST)
        self._sleeping.look(now)
        for session in self._stalled.look(self._sessions, now):
            session.stall()
        if self.bounded:
            self._fewer()  # one that did not accept may do so now, while the others are full for long

    # -- for sessions

    def send(self, session: Session, request: bytes, look: bool, fresh: bool = False) -> bool:
        """Send a request over an idle connection or a fresh one; False if there is no replica.

        `look`: the request cannot be repeated, so an idle connection is made sure of first. `fresh`: no idle one at all.
        """
        candidates = iter(self._candidates(session.arrival))
        first = next(candidates, None)
        if first is None:
            return False
        backend = None if fresh else self.pool.take(first, look)
        if backend is not None:
            first.load += 1
            session.connected(backend, request)
            return True
        connecting = Connecting(
            chain((first,), candidates),
            self._settings.connect_timeout,
            self.poller,
            self.reactor,
            partial(self._connected, session, request),
            session.unconnected,
        )
        session.connecting(connecting)
        connecting.next()
        return True

    def _connected(self, session: Session, request: bytes, sock: RawSocket, replica: Replica) -> None:
        self.pool.trim(replica)
        session.connected(Backend(sock, replica, self.pool, self.poller, self.pipes), request)

    def untried(self, connecting: Connecting) -> list[Replica]:
        """Those that were full when `connecting` had come to its end, and may have room now or later."""
        return self._replicas.untried(connecting.tried)

    def release(self, backend: Backend, reusable: bool, again: bool = False) -> None:
        """The exchange is over. `again`: its request is about to be repeated, before anybody else's."""
        backend.replica.load -= 1
        if reusable and self._keeps and not (backend.replica.drained or backend.up.held):
            backend.session = None
            backend.reused = True
            self.pool.put(backend, self.now)
        else:
            backend.close()
        if self.bounded and not again:
            self._fewer()

    # -- the end

    def keep_none(self) -> None:
        """No more requests come: connections to the server are closed when they are idle, and their places are others'."""
        self._keeps = False
        self.pool.close()

    def drain(self) -> None:
        """From now on each answer says that it is the last one. Clients that ask nothing more for a moment are closed then.

        Not at once: a client that is just asking would lose its request, though we had never said that we would close.
        """
        self.draining = True
        self.keep_none()
        self._last_call = self.reactor.callLater(self._last_requests, self._end_idle)
        if not len(self):
            self._last_call.cancel()

    def _end_idle(self) -> None:
        self.ending = True
        for session in [each for each in self._sessions if each.idle]:
            session.end(OPERATOR + REQUEST)
        for session in self._sleeping.each():
            session.end(OPERATOR + REQUEST)

    def cut(self) -> None:
        """The drain time is up."""
        for session in list(self._sessions):
            session.abort(OPERATOR)
        for session in self._sleeping.each():
            session.abort(OPERATOR)

    def close(self) -> None:
        """Nothing is left."""
        if self._last_call is not None and self._last_call.active():
            self._last_call.cancel()
        if self._sweeper.running:
            self._sweeper.stop()
        self.pool.close()
