"""The feed behind /ws/live: the routers' status, once a second, as lines of JSON.

A stream protocol that knows nothing of WebSockets: what it writes is one line at a time, and txWS makes a message of each. All
who listen share one look at the routers, and nobody looks while nobody listens. A client that does not read misses lines: it
does not get them late, and nothing piles up for it.
"""

from collections.abc import Callable
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from .mounts import Place
from .routers import Look, look_at
from .summary import summary

__all__ = ["Live", "LiveFactory"]

log = Logger()


@implementer(IPushProducer)
class Live(Protocol):
    """One listener."""

    factory: "LiveFactory"
    transport: Any  # ITransport and IConsumer in one
    _full = False

    def connectionMade(self) -> None:
        self.transport.registerProducer(self, True)
        self.factory.came(self)

    def tell(self, line: bytes) -> None:
        """Write a line, unless the client has still to read earlier ones."""
        if not self._full:
            self.transport.write(line)

    def pauseProducing(self) -> None:
        self._full = True

    def resumeProducing(self) -> None:
        self._full = False

    def stopProducing(self) -> None:
        self._full = True

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.factory.went(self)


class LiveOptions(Struct, forbid_unknown_fields=True, frozen=True):
    """The mount's options."""

    every: Annotated[float, Meta(ge=0.1)] = 1.0
    """Seconds between two lines."""


class LiveFactory(Factory):
    """All listeners of one mount."""

    protocol = Live  # type: ignore[assignment] # as any factory has it
    noisy = False

    def __init__(self, look: Look, every: float, clock: IReactorTime, now: Callable[[], float]) -> None:
        """`look` asks the routers, `every` is in seconds, `now` is the time of day."""
        self._look, self._every, self._clock, self._now = look, every, clock, now
        self._listeners: set[Live] = set()
        self._line = b""
        self._next: IDelayedCall | None = None
        self._asking = False

    @classmethod
    def for_mount(cls, place: Place) -> "LiveFactory":
        """With the mount's options, and the routers that the service may look at."""
        from time import time

        look = look_at(place.settings.status, place.settings.routers, place.reactor)
        return cls(look, place.options_as(LiveOptions).every, place.reactor, time)

    def came(self, listener: Live) -> None:
        """It gets the last line at once, unless that is old."""
        self._listeners.add(listener)
        if self._next is not None and self._line:
            listener.tell(self._line)
        elif not self._asking and self._next is None:
            self._ask()

    def went(self, listener: Live) -> None:
        """The last one turns off the light."""
        self._listeners.discard(listener)
        if not self._listeners and self._next is not None:
            self._next.cancel()
            self._next = None

    def _ask(self) -> None:
        self._next, self._asking = None, True
        Deferred.fromCoroutine(self._look()).addCallback(self._heard).addErrback(self._failed)

    def _heard(self, statuses: list[dict[str, object]]) -> None:
        self._line = msgspec.json.encode({"type": "status", "time": round(self._now(), 3), **summary(statuses)}) + b"\n"
        for listener in list(self._listeners):
            listener.tell(self._line)
        self._again()

    def _failed(self, failure: Failure) -> None:
        log.failure("the routers' status cannot be told", failure)
        self._again()

    def _again(self) -> None:
        self._asking = False
        if self._listeners:
            self._next = self._clock.callLater(self._every, self._ask)
