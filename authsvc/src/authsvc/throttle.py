"""Guessing made slow: each user, and each address, has so many wrong logins at once and then one every few seconds.

Whoever tries too soon is told how long to wait, and nobody looks at what they brought. Right logins are never held up, however
many come at once, so wrong ones that come at once are all looked at, as many as the queues take; what goes beyond the number
is a debt and makes the wait longer.

Somebody else's guessing must not lock a user out. So a user who has logged in from an address is counted apart there: neither
the guesses at their name from elsewhere nor those of others behind the same address concern them.

Each replica counts for itself, in memory: with n replicas a guesser has n times the tries.
"""

import hashlib
import ipaddress
import os
from collections import OrderedDict
from dataclasses import dataclass

from twisted.internet.interfaces import IReactorTime

__all__ = ["DEBT_LIMIT", "KNOWN_LIMIT", "KNOWN_TIME", "TABLE_LIMIT", "Pace", "Throttle"]

TABLE_LIMIT = 20_000
"""Users and addresses whose wrong logins are counted, some 200 bytes each; beyond that the one that was quiet longest goes."""

DEBT_LIMIT = 30
"""Wrong logins beyond their number that are remembered."""

KNOWN_LIMIT = 10_000
"""Users known from an address; beyond that the one that was quiet longest goes."""

KNOWN_TIME = 24 * 3600.0
"""Seconds for which a user is known from an address after a right login."""


@dataclass(frozen=True, slots=True)
class Pace:
    """`tries` wrong logins at once, then one every `pause` seconds."""

    tries: int
    pause: float


class Throttle:
    """Counts wrong logins by user and by address. Names and addresses are kept as keyed hashes only."""

    def __init__(self, clock: IReactorTime, user: Pace, address: Pace) -> None:
        self._clock = clock
        self._paces = {b"user": user, b"pair": user, b"address": address}
        self._secret = os.urandom(32)
        self._levels: OrderedDict[bytes, tuple[float, float]] = OrderedDict()  # tries not yet forgotten, and as of when
        self._known: OrderedDict[bytes, float] = OrderedDict()

    def wait(self, user: bytes, address: bytes) -> float:
        """Seconds that have to pass before this user, from this address, may try again; 0: now."""
        return max(self._wait(key, pace) for key, pace in self._buckets(user, address))

    def failed(self, user: bytes, address: bytes) -> None:
        """That was a wrong login."""
        for key, pace in self._buckets(user, address):
            self._levels[key] = min(self._level(key, pace) + 1, pace.tries + DEBT_LIMIT), self._clock.seconds()
            self._levels.move_to_end(key)
        while len(self._levels) > TABLE_LIMIT:
            self._levels.popitem(last=False)

    def succeeded(self, user: bytes, address: bytes) -> None:
        """That was a right one: the user is known from this address."""
        pair = self._key(b"pair", user, address)
        self._known[pair] = self._clock.seconds() + KNOWN_TIME
        self._known.move_to_end(pair)
        while len(self._known) > KNOWN_LIMIT:
            self._known.popitem(last=False)

    def lane(self, user: bytes, address: bytes) -> bytes:
        """What tries of this user from this address have in common with others: the user, unless known from there."""
        return self._buckets(user, address)[0][0]

    def _buckets(self, user: bytes, address: bytes) -> list[tuple[bytes, Pace]]:
        network = _network(address)
        pair = self._key(b"pair", user, address)
        if self._known.get(pair, 0.0) > self._clock.seconds():
            return [(pair, self._paces[b"pair"])]
        buckets = [(self._key(b"user", user), self._paces[b"user"])]
        if network:
            buckets.append((self._key(b"address", network), self._paces[b"address"]))
        return buckets

    def _key(self, kind: bytes, *parts: bytes) -> bytes:
        text = b"".join(b"%d:%b" % (len(part), part) for part in parts)
        return kind + hashlib.blake2b(text, key=self._secret, digest_size=16).digest()

    def _level(self, key: bytes, pace: Pace) -> float:
        level, when = self._levels.get(key, (0.0, 0.0))
        return max(0.0, level - (self._clock.seconds() - when) / pace.pause)

    def _wait(self, key: bytes, pace: Pace) -> float:
        return max(0.0, self._level(key, pace) + 1 - pace.tries) * pace.pause


def _network(address: bytes) -> bytes:
    """What counts as one address: of IPv6 a /64, which every client has for itself. Empty for none."""
    try:
        parsed = ipaddress.ip_address(address.decode("ascii", "replace").partition("%")[0])
    except ValueError:
        return b""
    if parsed.version == 6 and parsed.ipv4_mapped is not None:
        return parsed.ipv4_mapped.packed
    return parsed.packed if parsed.version == 4 else parsed.packed[:8]
