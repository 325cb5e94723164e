"""One epoll of the router's own, of which the Twisted reactor sees a single descriptor.

The router's connections need no transports: no write buffers, no producers, no protocols, only "call me when this descriptor
is readable". Asking epoll directly costs a fraction of what a reactor's descriptor object costs, and the reactor still
drives all else: timers, signals, services in this process.

Level-triggered. EPOLLHUP and EPOLLERR cannot be masked, so a descriptor from which nothing is wanted must be taken out.
"""

import contextlib
import select
from collections.abc import Callable

from svckit.reactors import Reactor
from twisted.logger import Logger

__all__ = ["ERROR", "HANGUP", "READ", "READ_HANGUP", "WRITE", "Poller", "Stirs"]

READ, WRITE = select.EPOLLIN, select.EPOLLOUT
ERROR, HANGUP, READ_HANGUP = select.EPOLLERR, select.EPOLLHUP, select.EPOLLRDHUP
EVENTS_AT_ONCE = 256
"""Events asked for at a time."""
ROUNDS = 4
"""So many times events are asked for before the reactor's other work gets its turn."""
BUSY = 8
"""Events; where so many came at once, more will have come meanwhile. A look costs less than a turn of the reactor."""

Callback = Callable[[int], None]
"""Called with the epoll events that are there."""
Stirs = Callable[[int, int], None]
"""Called with a descriptor and the events on it, for any number of descriptors."""


class Poller:
    """Descriptors and what to call when something happens on them."""

    log = Logger()

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._callbacks: dict[int, Callback] = {}
        self._fresh: set[int] = set()
        """Descriptors added since the last look: an event of that look is of something else, which had their number before."""
        self._common: list[Stirs | None] = []
        """By descriptor, for those that have no callback of their own: a thousand of them have one in common."""

    def __len__(self) -> int:
        return len(self._callbacks)

    def start(self, reactor: Reactor) -> None:
        """Become a reader of the reactor."""
        reactor.addReader(self)  # type: ignore[arg-type]

    def stop(self, reactor: Reactor) -> None:
        """Leave the reactor."""
        reactor.removeReader(self)  # type: ignore[arg-type]

    def add(self, descriptor: int, events: int, callback: Callback) -> None:
        """Watch `descriptor`; with `events` 0 only remember the callback."""
        self._callbacks[descriptor] = callback
        self._fresh.add(descriptor)
        if events:
            self._epoll.register(descriptor, events)

    def change(self, descriptor: int, before: int, events: int) -> None:
        """Watch for other events than `before`; 0 takes the descriptor out of epoll."""
        if not before:
            self._epoll.register(descriptor, events)
        elif not events:
            self._epoll.unregister(descriptor)
        else:
            self._epoll.modify(descriptor, events)

    def remove(self, descriptor: int, events: int = 1) -> None:
        """Forget a descriptor that will live on; `events` 0: it is not in epoll now."""
        if self._callbacks.pop(descriptor, None) is not None and events:
            with contextlib.suppress(FileNotFoundError):
                self._epoll.unregister(descriptor)

    # -- those that share a callback

    def add_common(self, descriptor: int, events: int, stirs: Stirs) -> None:
        """Watch `descriptor` for `stirs`, which may be that of a thousand others: it takes 8 bytes here."""
        self._fresh.add(descriptor)
        self._share(descriptor, stirs)
        self._epoll.register(descriptor, events)

    def remove_common(self, descriptor: int) -> None:
        """Forget one of those, which will live on."""
        self._common[descriptor] = None
        self._epoll.unregister(descriptor)

    def rest(self, descriptor: int, stirs: Stirs) -> None:
        """It is watched on for the same events, and from now on `stirs` is told."""
        self._share(descriptor, stirs)
        self._callbacks.pop(descriptor, None)

    def wake(self, descriptor: int, callback: Callback) -> None:
        """The other way round."""
        self._callbacks[descriptor] = callback
        self._common[descriptor] = None

    def tell(self, descriptor: int, events: int) -> None:
        """Events that were told to one in common are those of the callback that it has now."""
        callback = self._callbacks.get(descriptor)
        if callback is not None:
            callback(events)

    def _share(self, descriptor: int, stirs: Stirs) -> None:
        common = self._common
        if descriptor >= len(common):
            common.extend([None] * (descriptor + 1 - len(common)))
        common[descriptor] = stirs

    # -- descriptor of the reactor

    def fileno(self) -> int:
        """For the reactor."""
        return self._epoll.fileno()

    def logPrefix(self) -> str:
        """For the reactor."""
        return "poller"

    def connectionLost(self, reason: object) -> None:
        """For the reactor, at its end."""

    def doRead(self) -> None:
        """Handle what has happened. Nothing may escape: the reactor would drop this reader, which is every connection."""
        callbacks, fresh, common = self._callbacks, self._fresh, self._common
        for _ in range(ROUNDS):
            ready = self._epoll.poll(0, EVENTS_AT_ONCE)
            fresh.clear()
            for descriptor, events in ready:
                if descriptor in fresh:
                    continue  # level-triggered: what it has itself comes with the next look
                callback = callbacks.get(descriptor)  # an earlier event of this batch may have removed it
                try:
                    if callback is not None:
                        callback(events)
                    elif descriptor < len(common) and (stirs := common[descriptor]) is not None:
                        stirs(descriptor, events)
                except Exception:
                    self.log.failure("a callback of the router failed")
            if len(ready) < BUSY:
                return
