"""What is known of a user, looked up once and good for a moment.

A page of forty requests would otherwise be forty look-ups. The moment is also how long a change takes to hold: a new password,
a user who is removed, a group that is left. No H(A1) is kept here: whoever reads this memory finds nothing to log in with.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from .store import Account

__all__ = ["ACCOUNT_LIMIT", "ACCOUNT_TIME", "Accounts"]

ACCOUNT_TIME = 2.0
"""Seconds for which a look-up is good."""

ACCOUNT_LIMIT = 10_000
"""Users, known and unknown, who are remembered; some 300 bytes each."""


class Accounts:
    """Users by name. Unknown ones are remembered too: they must not be told from the others by the time it takes."""

    def __init__(
        self,
        look_up: Callable[[bytes], Awaitable[Account | None]],
        clock: IReactorTime,
        *,
        time: float = ACCOUNT_TIME,
        limit: int = ACCOUNT_LIMIT,
    ) -> None:
        """`time` of 0 remembers nothing."""
        self._look_up = look_up
        self._clock = clock
        self._time = time
        self._limit = limit
        self._known: OrderedDict[bytes, tuple[float, Account | None]] = OrderedDict()  # all live equally long, so in order
        self._waiting: dict[bytes, list[Deferred[Account | None]]] = {}

    async def find(self, name: bytes) -> Account | None:
        """The user, or None. Raises whatever the look-up raises."""
        now = self._clock.seconds()
        while self._known and next(iter(self._known.values()))[0] <= now:
            self._known.popitem(last=False)
        if name in self._known:
            return self._known[name][1]
        waiting: Deferred[Account | None] = Deferred()
        self._waiting.setdefault(name, []).append(waiting)
        if len(self._waiting[name]) == 1:
            Deferred.fromCoroutine(self._look_up_for_all(name))
        return await waiting

    async def _look_up_for_all(self, name: bytes) -> None:
        try:
            account = await self._look_up(name)
        except Exception as error:
            for one in self._waiting.pop(name):
                one.errback(error)
            return
        if self._time:
            self._known[name] = self._clock.seconds() + self._time, account
            while len(self._known) > self._limit:
                self._known.popitem(last=False)
        for one in self._waiting.pop(name):
            one.callback(account)
