"""Active checks: each address of a tcp server is asked now and again whether it is well.

Each has its own time, and the times drift apart, so that the checks of many addresses do not come all at once. There are never
more than so many under way.
"""

import random
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial

from svckit.reactors import Reactor
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from ..checking import Check
from ..config import Tcp
from ..core.health import CHECKING, Health
from ..core.proxyprotocol import encode_v1, encode_v2
from ..core.statuses import statuses
from ..poller import Poller
from .connect import Replica
from .probe import Asked, Outcome, Probe

__all__ = ["AT_ONCE", "SPREAD", "Checks", "asked_by"]

AT_ONCE = 16
"""Checks of one service that are under way at the same time; further ones wait."""
SPREAD = 0.2
"""The part of the interval by which a check comes earlier or later."""

_unnamed = {None: b"", "v1": encode_v1(None, None), "v2": encode_v2(None, None)}
"""PROXY headers for connections that no client stands behind."""


def asked_by(settings: Tcp, check: Check) -> Asked:
    """What a check of this service says, and what it expects."""
    first = _unnamed[settings.proxy]
    if check.path is None:
        return Asked(first, None)
    host = settings.address if check.host is None else check.host
    request = f"GET {check.path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: portico-check\r\nConnection: close\r\n\r\n"
    return Asked(first + request.encode("ascii"), statuses(check.status))


class _Watched:
    """One address."""

    def __init__(self, health: Health) -> None:
        self.health = health
        self.timer: IDelayedCall | None = None
        self.probe: Probe | None = None


class Checks:
    """The checks of one service."""

    log = Logger()

    def __init__(
        self,
        check: Check,
        asked: Asked,
        poller: Poller,
        reactor: Reactor,
        changed: Callable[[], None],
        draw: Callable[[], float] = random.random,
    ) -> None:
        """`changed` is called when an address goes up or down; `draw` draws a number from 0 to 1."""
        self._check, self._asked, self._poller, self._reactor = check, asked, poller, reactor
        self._changed, self._draw = changed, draw
        self._watched: dict[Replica, _Watched] = {}
        self._waiting: deque[Replica] = deque()
        self._under_way = 0
        self._stopped = False

    def watch(self, replicas: Iterable[Replica]) -> None:
        """These are the addresses from now on. New ones are checked at once, others are forgotten."""
        if self._stopped:
            return
        wanted = set(replicas)
        for replica in [replica for replica in self._watched if replica not in wanted]:
            self._forget(self._watched.pop(replica))
        for replica in wanted:
            if replica not in self._watched:
                self._watched[replica] = _Watched(Health(self._check.rise, self._check.fall))
                self._waiting.append(replica)
        self._next()

    def _forget(self, watched: _Watched) -> None:
        if watched.timer is not None:
            watched.timer.cancel()
        if watched.probe is not None:
            watched.probe.cancel()
            self._under_way -= 1

    def is_up(self, replica: Replica) -> bool:
        """Whether it is to get new connections."""
        watched = self._watched.get(replica)
        return watched is not None and watched.health.up

    def state(self, replica: Replica) -> str:
        """`checking`, `up` or `down`."""
        watched = self._watched.get(replica)
        return CHECKING if watched is None else watched.health.state

    def stop(self) -> None:
        """Check no more; what is up stays so."""
        self._stopped = True
        self._waiting.clear()
        for watched in self._watched.values():
            self._forget(watched)
            watched.timer = watched.probe = None

    # -- one check after the other

    def _next(self) -> None:
        while self._waiting and self._under_way < AT_ONCE:
            replica = self._waiting.popleft()
            watched = self._watched.get(replica)
            if watched is None:
                continue
            self._under_way += 1
            ended = partial(self._ended, replica, watched)
            watched.probe = Probe(replica.at, self._asked, self._check.timeout, self._poller, self._reactor, ended)

    def _due(self, replica: Replica, watched: _Watched) -> None:
        watched.timer = None
        self._waiting.append(replica)
        self._next()

    def _ended(self, replica: Replica, watched: _Watched, outcome: Outcome) -> None:
        watched.probe = None
        self._under_way -= 1
        seconds = self._check.interval * (1 - SPREAD + 2 * SPREAD * self._draw())
        watched.timer = self._reactor.callLater(seconds, self._due, replica, watched)
        self._next()
        if outcome.passed is None:
            self.log.warn("cannot check {replica}: {why}", replica=replica.name, why=outcome.why)
            return
        health, before = watched.health, watched.health.state
        if not (health.passed() if outcome.passed else health.failed()):
            return
        if not health.up:
            self.log.warn("{replica} is down: {why}", replica=replica.name, why=outcome.why)
        elif before != CHECKING:
            self.log.info("{replica} is up again: {why}", replica=replica.name, why=outcome.why)
        self._changed()
