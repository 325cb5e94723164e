"""When a service's name is asked for: again and again while the service is wanted, and not at all while it is not.

Asking every two seconds whatever the DNS record says of its age is how a replica is noticed soon (Docker's records say 600 s).
But a service that nobody uses must not have the name server asked for ever. So it rests until the first connection, which waits
until the answer is there: what was known before the rest is old. A name without an address is asked for only as long as a
connection waits for it.
"""

import socket
from collections.abc import Callable

from svckit.reactors import Reactor
from twisted.internet.interfaces import IDelayedCall

from ..arrival import Address
from .resolver import Found, Resolver

__all__ = ["RESOLVE_INTERVAL", "WANTED_FOR", "Lookup", "is_numeric"]

RESOLVE_INTERVAL = 2.0
"""Seconds from one answer to the next question."""
WANTED_FOR = 60.0
"""Seconds after the last connection for which a service that has addresses counts as wanted."""


class Lookup:
    """One service's name."""

    def __init__(self, name: Address, resolver: Resolver, reactor: Reactor, in_use: Callable[[], bool], found: Found) -> None:
        """`in_use` says whether the service is wanted though no connection comes; `found` is told every answer."""
        self._name, self._resolver, self._reactor = name, resolver, reactor
        self._in_use, self._found = in_use, found
        self.fresh = False
        """Whether the last answer still counts."""
        self.asking = False
        """Whether an answer is on its way."""
        self._stopped = self._has_addresses = False
        self._wanted_at = 0.0
        self._timer: IDelayedCall | None = None

    def want(self) -> bool:
        """A connection wants the service; whether the last answer counts. If not, there will be one soon."""
        self._wanted_at = self._reactor.seconds()
        if not (self.fresh or self.asking):
            self._ask()
        return self.fresh

    def stop(self) -> None:
        """Ask no more by itself. The last answer counts on."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _ask(self) -> None:
        self.asking, self._timer = True, None
        self._resolver.find(self._name, self._answered)

    def _answered(self, addresses: list[Address], why: str) -> None:
        self.asking, self.fresh, self._has_addresses = False, True, bool(addresses)
        if not self._stopped:
            self._timer = self._reactor.callLater(RESOLVE_INTERVAL, self._again)
        self._found(addresses, why)

    def _again(self) -> None:
        self._timer = None
        if self._in_use() or (self._has_addresses and self._reactor.seconds() - self._wanted_at < WANTED_FOR):
            self._ask()
        else:
            self.fresh = False


def is_numeric(host: str) -> bool:
    """Whether it is an address, and no name that must be looked up."""
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except OSError:
            continue
        return True
    return False
