"""Connections that go back to a router: by the link that they came from, by another one, or when there is one again.

Without an event loop of its own, so that the replicas for Twisted and for asyncio share it.
"""

import socket
from collections.abc import Callable, Collection
from typing import Generic

from ..refusals import MISDIRECTED
from .codec import CONNECTION_OVERHEAD, MESSAGE_LIMIT
from .edge import Alarm, R
from .linkend import LinkEnd
from .parked import Parked, asks

__all__ = ["Returning"]


class Returning(Generic[R]):
    """Those of one replica. Its length is how many wait for a router."""

    def __init__(
        self,
        links: Collection[LinkEnd[R]],
        timeout: float,
        later: Callable[[float, Callable[[], None]], Alarm],
        last_word: Callable[[socket.socket, bytes], object],
        gave_up: Callable[[], None],
    ) -> None:
        """`links` are the replica's; `gave_up` is called when one has waited in vain, for `timeout` seconds.

        `later` calls a function after so many seconds. `last_word` gets the socket of one that nobody takes, and what its
        client is to be told.
        """
        self._links, self._last_word, self._gave_up = links, last_word, gave_up
        self._parked = Parked[R](timeout, later, self._give_up)
        self._closed = False

    def __len__(self) -> int:
        return len(self._parked)

    def send(self, returned: R, link: LinkEnd[R] | None) -> None:
        """Send it by `link`, by another one, or when there is one again."""
        if self._closed or len(returned.unread) > MESSAGE_LIMIT - CONNECTION_OVERHEAD:
            self._misdirected(returned)
            return
        if link is None or link.ended or not link.welcomed:
            link = next((other for other in self._links if other.welcomed and not other.ended), None)
        if link is not None:
            link.hand_back(returned)
        else:
            self._parked.add(returned)

    def welcomed(self, link: LinkEnd[R]) -> None:
        """A router is there: it takes what waited for one."""
        for returned in self._parked.take_all():
            link.hand_back(returned)

    def _give_up(self, returned: R) -> None:
        self._misdirected(returned)
        self._gave_up()

    def stop_waiting(self) -> None:
        """From now on nothing can wait for a router."""
        self._closed = True

    def close(self) -> None:
        """No router comes any more."""
        for returned in self._parked.take_all():
            self._misdirected(returned)

    def _misdirected(self, returned: R) -> None:
        """Nobody takes it: the safety net of HTTP."""
        self._last_word(returned.sock, MISDIRECTED if asks(returned.sock, returned.unread) else b"")
