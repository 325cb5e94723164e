"""An epoll loop and nothing else: the backend and the load stand on it, as an event loop of a framework would be most of
what is measured."""

import heapq
import itertools
import select
import time
from collections.abc import Callable

__all__ = ["IN", "OUT", "Loop", "Timer"]

IN, OUT = select.EPOLLIN, select.EPOLLOUT


class Timer:
    """A call that is to come."""

    def __init__(self, call: Callable[[], None]) -> None:
        self.call: Callable[[], None] | None = call

    def cancel(self) -> None:
        self.call = None


class Loop:
    """Descriptors with a function for each, and calls at a time."""

    def __init__(self) -> None:
        self.epoll = select.epoll()
        self._handlers: dict[int, Callable[[int], None]] = {}
        self._timers: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()
        self.running = True

    def add(self, descriptor: int, handler: Callable[[int], None], events: int = IN) -> None:
        """Call `handler` with the events that are there."""
        self._handlers[descriptor] = handler
        self.epoll.register(descriptor, events)

    def change(self, descriptor: int, events: int) -> None:
        """Wait for other events."""
        self.epoll.modify(descriptor, events)

    def remove(self, descriptor: int) -> None:
        """Before it is closed, or given away."""
        del self._handlers[descriptor]
        self.epoll.unregister(descriptor)

    def later(self, delay: float, call: Callable[[], None]) -> Timer:
        """Call once, in `delay` seconds."""
        timer = Timer(call)
        heapq.heappush(self._timers, (time.monotonic() + delay, next(self._order), timer))
        return timer

    def stop(self) -> None:
        self.running = False

    def run(self, until: float | None = None) -> None:
        """Until `stop`, or until the monotonic clock shows `until`."""
        poll, find, clock = self.epoll.poll, self._handlers.get, time.monotonic
        self.running = True
        while self.running:
            now = clock()
            if until is not None and now >= until:
                return
            while self._timers and self._timers[0][0] <= now:
                timer = heapq.heappop(self._timers)[2]
                if timer.call is not None:
                    timer.call()
            ends = [each for each in (until, self._timers[0][0] if self._timers else None) if each is not None]
            for descriptor, events in poll(max(min(ends) - now, 0) + 0.0005 if ends else None, 512):
                handler = find(descriptor)
                if handler is not None:  # an earlier one of this turn may have ended it
                    handler(events)

    def close(self) -> None:
        self.epoll.close()
