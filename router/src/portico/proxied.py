"""PROXY headers of trusted senders: the first thing on their connections, and nothing that anybody else may say.

A listener behind somebody's load balancer names the balancer's networks. A connection from there begins with a PROXY
header, in whatever pieces it comes, within a deadline of its own; the client that it names is the client from then on, for
the log, the services, and every target. A connection from elsewhere is taken as it is: a PROXY header on it is bytes like any
others.
"""

import socket
from collections.abc import Callable, Sequence
from ipaddress import ip_address

from svckit.reactors import Reactor
from twisted.internet.interfaces import IDelayedCall

from .arrival import Arrival
from .core.answers import BAD_PROXY, Answer
from .core.proxyprotocol import LARGEST, Malformed, Proxied, decode
from .core.termination import CLIENT, CLIENT_TIME, OPERATOR, REQUEST, Who
from .networks import Network
from .poller import READ, Poller
from .reading import what_came

__all__ = ["ProxyStage"]

_DONTWAIT = int(socket.MSG_DONTWAIT)


class ProxyStage:
    """Finds out who the client is, then lets the connection go on."""

    def __init__(
        self,
        trusted: Sequence[Network],
        deadline: float,
        poller: Poller,
        reactor: Reactor,
        go_on: Callable[[Arrival], None],
        answer: Callable[[Arrival, Answer], None],
        itself: Callable[[Arrival], None] | None = None,
        earlier: "ProxyStage | None" = None,
    ) -> None:
        """`deadline` in seconds, from the connection's start. `itself` takes a sender that speaks for nobody but itself.

        `earlier` was in this one's place: those that wait there are ended with those that wait here.
        """
        self._trusted = tuple(trusted)
        self.deadline, self.poller, self.reactor = deadline, poller, reactor
        self.go_on, self.answer = go_on, answer
        self._itself = itself or go_on
        self._waiting: set[_Waiting] = set() if earlier is None else earlier._waiting

    def accept(self, arrival: Arrival) -> None:
        """Read the header if the sender is trusted."""
        if not self._trusts(arrival.client[0]):
            self.go_on(arrival)
            return
        if not self.look(arrival):
            self._waiting.add(_Waiting(arrival, self))

    def _trusts(self, host: str) -> bool:
        address = ip_address(host)
        return any(address in network for network in self._trusted)

    def look(self, arrival: Arrival) -> bool:
        """Whether the header is there, or can never be; the connection has then gone on, or ended."""
        try:
            found = decode(arrival.preface)
        except Malformed:
            self.answer(arrival, BAD_PROXY)
            return True
        if found is None:
            return False
        self._learn(arrival, found)
        (self._itself if found.source is None else self.go_on)(arrival)
        return True

    def _learn(self, arrival: Arrival, found: Proxied) -> None:
        arrival.preface = arrival.preface[found.end :]
        if found.source is not None:
            arrival.client, arrival.named = found.source, True
        if found.destination is not None:
            arrival.listener, arrival.named = found.destination, True

    def left(self, waiting: "_Waiting") -> None:
        """It waits no more."""
        self._waiting.discard(waiting)

    def close(self) -> None:
        """End those that still wait."""
        for waiting in list(self._waiting):
            waiting.give_up(OPERATOR)


class _Waiting:
    """A trusted sender whose header is not whole."""

    def __init__(self, arrival: Arrival, stage: ProxyStage) -> None:
        self._arrival, self._stage = arrival, stage
        stage.poller.add(arrival.sock.fileno(), READ, self._readable)
        left = stage.deadline - (stage.reactor.seconds() - arrival.since)
        self._timeout: IDelayedCall = stage.reactor.callLater(max(0.0, left), self.give_up, CLIENT_TIME)

    def _readable(self, events: int) -> None:
        arrival = self._arrival
        piece = what_came(arrival.sock, LARGEST)
        if piece is None:
            return
        if not piece:
            self.give_up(CLIENT)
            return
        arrival.preface += piece
        poller, descriptor = self._stage.poller, arrival.sock.fileno()
        poller.remove(descriptor)  # whoever is next puts the socket in again
        if self._stage.look(arrival):
            self._end()
        else:
            poller.add(descriptor, READ, self._readable)

    def give_up(self, who: Who) -> None:
        """No header in time, or `who` ends it before."""
        self._stage.poller.remove(self._arrival.sock.fileno())
        self._end()
        self._stage.answer(self._arrival, BAD_PROXY._replace(ended=who + REQUEST))

    def _end(self) -> None:
        self._stage.left(self)
        if self._timeout.active():
            self._timeout.cancel()
