"""Idle connections to the replicas of one tcp server, kept for the next request: the newest goes first, the oldest is closed.

A connection here is watched: a server that closes it, or says something that nobody asked for, has it thrown away at once.
"""

import socket
from typing import TYPE_CHECKING

from ..core.response import PlainHeads
from ..poller import READ
from .connect import Replica

if TYPE_CHECKING:
    from .backend import Backend

__all__ = ["Pool"]

_LOOK = int(socket.MSG_PEEK | socket.MSG_DONTWAIT)


class Pool:
    """Connections without a session."""

    def __init__(self, size: int, idle_time: float, bounded: bool = False) -> None:
        """`size` is for each replica; `idle_time` in seconds; `bounded`: replicas have a capacity."""
        self._size, self._idle_time, self._bounded = size, idle_time, bounded
        self.heads = PlainHeads()
        """What the server says."""
        self._idle: dict[Replica, list[Backend]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._idle.values()))

    def take(self, replica: Replica, look: bool) -> "Backend | None":
        """A connection to `replica`, or None. `look`: make sure that it has not just ended; the request cannot be repeated."""
        idle = self._idle.get(replica)
        while idle:
            backend = idle.pop()
            if not look or _is_quiet(backend):
                return backend
            backend.close()
        return None

    def put(self, backend: "Backend", now: float) -> None:
        """Keep a connection whose last response is complete."""
        backend.idle_since = now
        if not backend.wanted & READ:
            backend.resume()
        idle = self._idle.get(backend.replica)
        if idle is None:
            idle = self._idle[backend.replica] = []
        idle.append(backend)
        if len(idle) > self._size:
            idle.pop(0).close()
        elif self._bounded:
            self.trim(backend.replica)

    def trim(self, replica: Replica) -> None:
        """Idle connections and those in use together are no more than its capacity."""
        idle = self._idle.get(replica)
        while idle and len(idle) + replica.load > replica.capacity:
            idle.pop(0).close()

    def drop(self, backend: "Backend") -> None:
        """A connection that is kept has ended."""
        self._idle[backend.replica].remove(backend)
        backend.close()

    def close_those_to(self, replica: Replica) -> None:
        """It is to get no more requests."""
        for backend in self._idle.pop(replica, ()):
            backend.close()

    def sweep(self, now: float) -> None:
        """Close what has been idle for too long."""
        for replica, idle in list(self._idle.items()):
            old = sum(1 for backend in idle if now - backend.idle_since >= self._idle_time)
            for backend in idle[:old]:
                backend.close()
            del idle[:old]
            if not idle:
                del self._idle[replica]

    def close(self) -> None:
        """Close them all."""
        while self._idle:
            for backend in self._idle.popitem()[1]:
                backend.close()


def _is_quiet(backend: "Backend") -> bool:
    try:
        backend.sock.recv(1, _LOOK)
    except (BlockingIOError, InterruptedError):
        return True
    except OSError:
        pass
    return False  # bytes that nobody asked for, or its end
