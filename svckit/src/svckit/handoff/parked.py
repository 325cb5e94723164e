"""Connections on their way back to a router while there is none: each waits for the next router, for a time.

Without I/O and without an event loop of its own, so that the replicas for Twisted and for asyncio share it.
"""

import socket
from collections.abc import Callable, Hashable
from typing import Generic, Protocol, TypeVar

__all__ = ["Parked", "asks"]

T = TypeVar("T", bound=Hashable)


class Timer(Protocol):
    """What both event loops give for a call to come."""

    def cancel(self) -> object: ...


class Parked(Generic[T]):
    """What waits, oldest first."""

    def __init__(
        self, timeout: float, later: Callable[[float, Callable[[], None]], Timer], give_up: Callable[[T], None]
    ) -> None:
        """`timeout` is in seconds, `later` calls a function after so many, `give_up` gets what has waited for too long."""
        self._timeout, self._later, self._give_up = timeout, later, give_up
        self._waiting: dict[T, Timer] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, item: T) -> None:
        """It waits from now on."""
        self._waiting[item] = self._later(self._timeout, lambda: self._over(item))

    def take_all(self) -> list[T]:
        """There is a router, or all is over: nothing waits any more."""
        waiting, self._waiting = self._waiting, {}
        for timer in waiting.values():
            timer.cancel()
        return list(waiting)

    def _over(self, item: T) -> None:
        del self._waiting[item]
        self._give_up(item)


def asks(sock: socket.socket, unread: bytes) -> bool:
    """Whether the client waits for an answer. What came while its connection waited here lies in the socket yet."""
    if unread:
        return True
    try:
        return bool(sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
    except OSError:  # nothing has come, or the client has gone
        return False
