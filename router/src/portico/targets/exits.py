"""Where a client's connection goes that leaves its session (`leaving`): a tunnel, the router, the queue, or nowhere."""

from collections.abc import Callable, Collection
from typing import NamedTuple

from svckit.reactors import Reactor

from ..accesslog import AccessLog
from ..arrival import Arrival, RawSocket
from ..core.answers import Answer
from ..core.termination import NORMAL
from ..service import Refusals
from .backend import Backend
from .connect import Replica
from .leaving import Leaving

__all__ = ["Exits", "Outside", "Switched"]

Switched = Callable[[Arrival, RawSocket, Replica, bytes, bytes, int, int], None]
"""Told of a connection that is no HTTP any more: client, server, who that is, what goes to the server and to the client first,
and the bytes up and down so far."""


class Outside(NamedTuple):
    """What a service's sessions know of the rest of the router."""

    reactor: Reactor
    refusals: Refusals
    access: AccessLog
    wait: Callable[[Arrival, Collection[Replica]], None]
    """Holds a connection whose request goes on when one of the replicas has room."""
    readmit: Callable[[Arrival], None]
    """Takes a connection with another request."""
    switched: Switched
    fewer: Callable[[], None]
    """Called when there is less under way."""


class Exits:
    """The part of a service's sessions that lets them go."""

    def __init__(self, outside: Outside) -> None:
        self.reactor, self._refusals, self._access, self._wait, self._readmit, self._switched, self._fewer = outside
        self._sessions: set[Leaving] = set()  # those that are objects

    def tunnel(
        self, session: Leaving, arrival: Arrival, backend: Backend, preface: bytes, reply: bytes, up: int, down: int
    ) -> None:
        """The two speak another protocol from now on."""
        self._sessions.discard(session)
        self._switched(arrival, backend.sock, backend.replica, preface, reply, up, down)

    def hand_back(self, session: Leaving, arrival: Arrival, unread: bytes, up: int, down: int) -> None:
        """The next request is not ours, or not whole, or finds no room: the router sees to it."""
        self._access.tunnel_ended(arrival, session.replica, NORMAL, up, down)
        self._left(session)
        self._readmit(self._anew(arrival, unread))

    def wait(self, session: Leaving, arrival: Arrival, untried: Collection[Replica], unread: bytes, up: int, down: int) -> None:
        """Its request was not accepted by those that had room, and waits for the others."""
        self._sessions.discard(session)
        if up or down:
            self._access.tunnel_ended(arrival, session.replica, NORMAL, up, down)
            again = self._anew(arrival, unread)
            again.service, again.route, again.head = arrival.service, arrival.route, arrival.head
            again.decided_at, again.waits_until = arrival.decided_at, arrival.waits_until
            arrival = again
        arrival.preface = unread
        self._wait(arrival, untried)

    def _anew(self, arrival: Arrival, unread: bytes) -> Arrival:
        now = self.reactor.seconds()
        again = type(arrival)(arrival.sock, arrival.client, arrival.listener, now, unread, returned=True)
        again.follow(arrival)
        return again

    def refuse(self, session: Leaving, arrival: Arrival, answer: Answer) -> None:
        """The router answers."""
        self._refusals.answer(arrival, answer)
        self._sessions.discard(session)
        self.reactor.callLater(0, self._fewer)  # not at once: the next one may fail the same way, and the next

    def ended(self, session: Leaving, arrival: Arrival, how: str, up: int, down: int) -> None:
        """The connection is closed; `how` is told by `core.termination`."""
        self._access.tunnel_ended(arrival, session.replica, how, up, down)
        self._left(session)

    def _left(self, session: Leaving) -> None:
        self._sessions.discard(session)
        self._fewer()
