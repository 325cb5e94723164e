"""Which nonces are good, and which of their counts have been used.

A client counts its requests with a nonce (nc), and each count is good for one request (RFC 7616 section 3.4.5). Browsers send
on several connections, so counts arrive out of order: for each nonce the highest count is kept, and a bit for each of the
`WINDOW` before it.

The counts are in this process's memory only. So that nothing is forgotten that could be used again, a nonce that is older
than this process is not good either: its counts may have been used up before. The client is told `stale`, gets a new nonce
and goes on without asking its user. The same line is moved forward when there are more nonces than can be remembered.

Replicas do not tell each other what they have seen. All services ask the same replica while it lives (see
`svckit.auth.client`), so this matters only when one dies and another, older one takes over: an answer that the first has seen
is new to the second, for what is left of the nonce's lifetime.
"""

import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from svckit.auth.limits import NONCE_LIFETIME
from svckit.auth.nonce import KEY_BYTES, Nonce, NonceKey, open_nonce

__all__ = ["KEY_FILE", "NONCE_LIMIT", "WINDOW", "NonceLedger", "load_keys"]

KEY_FILE = "nonce.keys"
"""Name of the file in the state folder. One key a line, in hex: the first is in use, the others are still accepted."""

WINDOW = 64
"""Counts below the highest that may still arrive."""

NONCE_LIMIT = 100_000
"""Nonces whose counts are remembered, some 300 bytes each. Only right answers add one."""

CLOCK_SKEW = 5.0
"""Seconds that a service's clock may be ahead of ours."""


def load_keys(state: Path) -> tuple[NonceKey, ...]:
    """The keys in the folder `state`, which the replicas of the auth service share; made by whichever is there first.

    Raises:
        ValueError: the file is not what it should be.
    """
    state.mkdir(parents=True, exist_ok=True)
    path = state / KEY_FILE
    if not path.exists():
        draft = state / f".{KEY_FILE}.{secrets.token_hex(8)}"
        descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(secrets.token_hex(KEY_BYTES) + "\n")
            path.hardlink_to(draft)  # fails where another replica was faster, and never shows half a file
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    try:
        keys = [bytes.fromhex(line) for line in path.read_text("ascii").splitlines() if line.strip()]
    except ValueError:
        keys = []
    if not keys or any(len(key) != KEY_BYTES for key in keys):
        raise ValueError(f"{path}: expected lines of {2 * KEY_BYTES} hex digits")
    return tuple(NonceKey(key) for key in keys)


@dataclass(slots=True)
class _Counts:
    minted: float
    highest: int
    seen: int  # bit i stands for the count `highest - i`


class NonceLedger:
    """Opens nonces, and remembers which counts were used. `now` gives seconds since 1970."""

    def __init__(
        self,
        keys: tuple[NonceKey, ...],
        now: Callable[[], float],
        *,
        lifetime: float = NONCE_LIFETIME,
        limit: int = NONCE_LIMIT,
    ) -> None:
        self._keys = keys
        self._now = now
        self._lifetime = lifetime
        self._limit = limit
        self._floor = now()  # nonces minted before this are stale
        self._used: dict[bytes, _Counts] = {}

    @property
    def key(self) -> NonceKey:
        """The key to mint with."""
        return self._keys[0]

    def open(self, nonce: bytes, realm: bytes) -> Nonce:
        """Raises: svckit.auth.Malformed: no nonce, or a forged one."""
        return open_nonce(nonce, realm, self._keys)

    def use(self, nonce: bytes, opened: Nonce, count: int) -> bool:
        """Use up `count` of a nonce. False: it is stale, or the count was used before.

        To be called for right answers only: a wrong one must not use up anything.
        """
        now = self._now()
        if not opened.known or not max(self._floor, now - self._lifetime) <= opened.minted <= now + CLOCK_SKEW:
            return False
        counts = self._used.get(nonce)
        if counts is None:
            if len(self._used) >= self._limit:
                self._shrink(now)
                if opened.minted < self._floor:
                    return False
            self._used[nonce] = _Counts(opened.minted, count, 1)
            return True
        behind = counts.highest - count
        if behind < 0:
            # A client may leap ahead by four thousand million: beyond the window that many bits are just gone.
            counts.seen = (counts.seen << -behind if -behind < WINDOW else 0) & (1 << WINDOW) - 1 | 1
            counts.highest = count
            return True
        if behind >= WINDOW or counts.seen >> behind & 1:
            return False
        counts.seen |= 1 << behind
        return True

    def _shrink(self, now: float) -> None:
        """Forget the nonces that have expired; if that is not enough, the older half, and take no older ones any more."""
        oldest_good = max(self._floor, now - self._lifetime)
        self._used = {nonce: counts for nonce, counts in self._used.items() if counts.minted >= oldest_good}
        if len(self._used) > self._limit // 2:
            by_age = sorted(counts.minted for counts in self._used.values())
            self._floor = by_age[len(by_age) // 2] + 0.001  # nonces tell milliseconds
            self._used = {nonce: counts for nonce, counts in self._used.items() if counts.minted >= self._floor}
