"""Checking a password without stopping the reactor, and without checking it a thousand times.

argon2id costs some 30 ms and 19 MiB on purpose, and Basic sends the password with every request. So:

- hashes are computed in a few threads of their own, behind a queue with an end (`Busy`);
- the same login asked again while it is being checked waits for that check;
- a login that was right is remembered for `CACHE_TIME`, under HMAC(key, user, password, stored hash) with a random key that
  this process alone has. Nothing in it is of use to whoever reads the memory later, and a new password makes another entry;
- an unknown user costs as much time as a known one;
- whoever logs in with a hash of another kind or strength than today's gets a new one.
"""

import hmac
import os
import secrets
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any

from svckit.auth.commands import Busy, TooMany
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from .hashing import hash_password, is_outdated, verify_password

__all__ = ["CACHE_LIMIT", "CACHE_TIME", "QUEUE_LIMIT", "USER_LIMIT", "PasswordChecks"]

QUEUE_LIMIT = 32
"""Different logins that are being checked or wait for it. With two threads the last one waits half a second."""

USER_LIMIT = 4
"""Different passwords of one user that are being checked or wait for it: somebody who guesses at one name leaves room for the
other users. What comes from where the user is known counts apart, as in `throttle`."""

CACHE_TIME = 60.0
"""Seconds for which a right login is remembered."""

CACHE_LIMIT = 10_000
"""Logins remembered; 32 bytes each and their place in a table."""

RunInThread = Callable[..., "Deferred[Any]"]
"""Like `deferToThread`: a function and its arguments, to be run elsewhere."""

log = Logger()


class PasswordChecks:
    """All checks of one process."""

    def __init__(
        self,
        run_in_thread: RunInThread,
        clock: IReactorTime,
        *,
        queue_limit: int = QUEUE_LIMIT,
        verify: Callable[[str, bytes], bool] = verify_password,
        rehash: Callable[[bytes, str, str], Awaitable[None]] | None = None,
    ) -> None:
        """`rehash` takes a user, the stored hash and the one that is to be stored instead."""
        self._run = run_in_thread
        self._clock = clock
        self._queue_limit = queue_limit
        self._verify = verify
        self._rehash = rehash
        self._key = os.urandom(32)
        self._decoy = hash_password(secrets.token_bytes(32))
        self._right: OrderedDict[bytes, float] = OrderedDict()  # tag -> when it ends; all live equally long, so in order
        self._running: dict[bytes, list[Deferred[bool]]] = {}
        self._by_lane: Counter[bytes] = Counter()  # of those that run

    @property
    def under_way(self) -> int:
        """Checks that run or wait for a thread."""
        return len(self._running)

    def check(self, user: bytes, password: bytes, stored: str | None, lane: bytes = b"") -> "Deferred[bool]":
        """Whether this is the user's password; `stored` is its hash, None for a user whom nobody knows.

        `USER_LIMIT` is for what has the same `lane`; without one, for the user.

        Raises:
            Busy: too many checks are waiting.
            TooMany: too many of this user's are.
        """
        tag = self._tag(user, password, stored)
        if self._remembered(tag):
            return succeed(True)
        if tag not in self._running and len(self._running) >= self._queue_limit:
            raise Busy
        lane = lane or user
        if tag not in self._running and self._by_lane[lane] >= USER_LIMIT:
            raise TooMany("1")
        answer: Deferred[bool] = Deferred()
        if tag in self._running:
            self._running[tag].append(answer)
            return answer
        self._running[tag] = [answer]
        self._by_lane[lane] += 1
        checked = self._run(self._verify, self._decoy if stored is None else stored, password)
        checked.addBoth(self._checked, lane, tag, stored is not None)
        if stored is not None and self._rehash is not None and is_outdated(stored):
            answer.addCallback(self._renew, user, password, stored)
        return answer

    def _checked(self, result: Any, lane: bytes, tag: bytes, known: bool) -> None:
        waiting = self._running.pop(tag)
        self._by_lane[lane] -= 1
        if not self._by_lane[lane]:
            del self._by_lane[lane]
        if not isinstance(result, Failure):
            result = bool(result) and known
            if result:
                self._remember(tag)
        for one in waiting:
            one.callback(result)

    def _renew(self, right: bool, user: bytes, password: bytes, stored: str) -> bool:
        """Let the login go on, and make a new hash of the password meanwhile."""
        if right:
            renewing = Deferred.fromCoroutine(self._make_new_hash(user, password, stored))
            renewing.addErrback(lambda failure: log.failure("a hash could not be renewed", failure))
        return right

    async def _make_new_hash(self, user: bytes, password: bytes, stored: str) -> None:
        if self._rehash is not None:
            await self._rehash(user, stored, await self._run(hash_password, password))

    # -- what was right before

    def _tag(self, user: bytes, password: bytes, stored: str | None) -> bytes:
        parts = (user, password, b"" if stored is None else stored.encode("ascii"))
        return hmac.digest(self._key, b"".join(b"%d:%b" % (len(part), part) for part in parts), "sha256")

    def _remember(self, tag: bytes) -> None:
        self._right[tag] = self._clock.seconds() + CACHE_TIME
        while len(self._right) > CACHE_LIMIT:
            self._right.popitem(last=False)

    def _remembered(self, tag: bytes) -> bool:
        now = self._clock.seconds()
        while self._right and next(iter(self._right.values())) <= now:
            self._right.popitem(last=False)
        return tag in self._right
