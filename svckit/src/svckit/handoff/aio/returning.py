"""Connections that go back to a router: by the link that they came from, by another one, or when there is one again."""

import asyncio
from collections.abc import Callable, Collection

from ...refusals import MISDIRECTED
from ..codec import CONNECTION_OVERHEAD, MESSAGE_LIMIT
from ..parked import Parked, asks
from .accepted import Returned
from .lastword import LastWord
from .link import Link

__all__ = ["Returning"]


class Returning:
    """Those of one replica. Its length is how many wait for a router."""

    def __init__(self, links: Collection[Link], timeout: float, gave_up: Callable[[], None]) -> None:
        """`links` are the replica's; `gave_up` is called when one has waited in vain, for `timeout` seconds."""
        self._links, self._gave_up = links, gave_up
        self._parked = Parked[Returned](timeout, _later, self._give_up)
        self._closed = False

    def __len__(self) -> int:
        return len(self._parked)

    def send(self, returned: Returned, link: Link | None) -> None:
        """Send it by `link`, by another one, or when there is one again."""
        if self._closed or len(returned.unread) > MESSAGE_LIMIT - CONNECTION_OVERHEAD:
            _misdirected(returned)
            return
        if link is None or link.ended or not link.welcomed:
            link = next((other for other in self._links if other.welcomed and not other.ended), None)
        if link is not None:
            link.hand_back(returned)
        else:
            self._parked.add(returned)

    def welcomed(self, link: Link) -> None:
        """A router is there: it takes what waited for one."""
        for returned in self._parked.take_all():
            link.hand_back(returned)

    def _give_up(self, returned: Returned) -> None:
        _misdirected(returned)
        self._gave_up()

    def stop_waiting(self) -> None:
        """From now on nothing can wait for a router."""
        self._closed = True

    def close(self) -> None:
        """No router comes any more."""
        for returned in self._parked.take_all():
            _misdirected(returned)


def _later(seconds: float, what: Callable[[], None]) -> asyncio.TimerHandle:
    return asyncio.get_running_loop().call_later(seconds, what)


def _misdirected(returned: Returned) -> None:
    """Nobody takes it: the safety net of HTTP."""
    LastWord(returned.sock, MISDIRECTED if asks(returned.sock, returned.unread) else b"", asyncio.get_running_loop())
