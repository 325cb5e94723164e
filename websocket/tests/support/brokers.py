"""Brokers of either kind, as replicas have them, without a reactor."""

import queue
import time
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from websocketsvc.redisbroker import RedisBroker
from websocketsvc.roomoptions import RoomOptions

from tests.support.redis_server import RedisServer

from .memory_broker import Memory

__all__ = ["Calls", "Site"]

WAIT = 20.0


class Calls:
    """A reactor's thread, as far as a broker needs one: the test's own."""

    def __init__(self) -> None:
        self._queue: queue.Queue[tuple[Callable[..., None], tuple[Any, ...]]] = queue.Queue()

    def callFromThread(self, function: Callable[..., None], *arguments: Any) -> None:
        self._queue.put((function, arguments))

    def until(self, condition: Callable[[], bool]) -> None:
        end = time.monotonic() + WAIT
        while not condition():
            function, arguments = self._queue.get(timeout=max(end - time.monotonic(), 0.01))
            function(*arguments)


class Site:
    """Brokers as replicas have them."""

    def __init__(self, memory: Memory, server: RedisServer | None) -> None:
        self.calls, self._memory, self.server = Calls(), memory, server
        self.made: list[Any] = []

    def broker(self, **options: Any) -> Any:
        name, chosen = f"replica{len(self.made)}", RoomOptions(**options)
        if self.server is None:
            broker: Any = self._memory.connect("", "", name, chosen, None)
        else:
            broker = RedisBroker(self.server.url, "test:/ws/rooms", name, chosen, self.calls)
        self.made.append(broker)
        broker.steps, broker.backs = [], 0

        def back() -> None:
            broker.backs += 1

        broker.start(lambda *step: broker.steps.append(step), back)
        self.calls.until(lambda: broker.backs == 1)
        return broker

    def get(self, deferred: "Deferred[Any]") -> Any:
        """Its result; raises what it failed with."""
        found: list[Any] = []
        deferred.addBoth(found.append)
        self.calls.until(lambda: bool(found))
        if isinstance(found[0], Failure):
            found[0].raiseException()
        return found[0]

    def told(self, broker: Any, count: int) -> list[Any]:
        """The first steps that it has been told."""
        self.calls.until(lambda: len(broker.steps) >= count)
        steps: list[Any] = broker.steps
        return steps
