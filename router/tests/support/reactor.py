"""A reactor that a test turns by hand: Twisted's Clock for the time, poll(2) for real descriptors, nothing else.

Time passes only by `advance`. Descriptors are served only by `turn`, which does with them what Twisted's poll reactor does. So
a test says what happens when, and no test sleeps; the bound of `until` is for a kernel that never delivers.
"""

import select
import time
from collections.abc import Callable
from typing import Any

from twisted.internet import error, main, tcp, unix
from twisted.internet.interfaces import IProtocolFactory, IReactorFDSet
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from zope.interface import implementer

PATIENCE = 20.0
"""Seconds of real time after which a condition that does not come true is a failure."""
_GONE = select.POLLHUP | select.POLLERR | select.POLLNVAL


class InlinePool:
    """A thread pool without threads."""

    def callInThreadWithCallback(self, done: Callable[[bool, Any], None], call: Callable[..., Any], *args: Any) -> None:
        try:
            result = call(*args)
        except Exception:
            done(False, Failure())
        else:
            done(True, result)


@implementer(IReactorFDSet)
class HandReactor(Clock):
    """Turned by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.readers: set[Any] = set()
        self.writers: set[Any] = set()
        self.lost: list[tuple[object, object]] = []
        """Each descriptor that was dropped for what its doRead or doWrite returned or raised, with the reason."""

    # -- what Portico and Twisted's transports ask of a reactor

    def addReader(self, reader: Any) -> None:
        self.readers.add(reader)

    def removeReader(self, reader: Any) -> None:
        self.readers.discard(reader)

    def addWriter(self, writer: Any) -> None:
        self.writers.add(writer)

    def removeWriter(self, writer: Any) -> None:
        self.writers.discard(writer)

    def removeAll(self) -> list[Any]:
        everything = [*self.readers, *self.writers]
        self.readers.clear()
        self.writers.clear()
        return everything

    def getReaders(self) -> list[Any]:
        return list(self.readers)

    def getWriters(self) -> list[Any]:
        return list(self.writers)

    def callFromThread(self, call: Callable[..., object], *args: object, **kw: object) -> None:
        call(*args, **kw)

    def getThreadPool(self) -> InlinePool:
        return InlinePool()

    def listenTCP(self, port: int, factory: IProtocolFactory, backlog: int = 50, interface: str = "") -> tcp.Port:
        listening = tcp.Port(port, factory, backlog, interface, self)
        listening.startListening()
        return listening

    def listenUNIX(self, address: str, factory: IProtocolFactory, backlog: int = 50, mode: int = 0o666) -> unix.Port:
        listening = unix.Port(address, factory, backlog, mode, self)  # type: ignore[arg-type]
        listening.startListening()
        return listening

    # -- what tests do

    def turn(self, wait: float = 0.01) -> bool:
        """Run what is due, then serve the descriptors that are ready; False if there were none within `wait` seconds."""
        self.advance(0)
        poll = select.poll()
        watched = {each.fileno(): each for each in (*self.readers, *self.writers) if each.fileno() >= 0}
        for descriptor, each in watched.items():
            poll.register(
                descriptor,
                (select.POLLIN if each in self.readers else 0) | (select.POLLOUT if each in self.writers else 0),
            )
        ready = poll.poll(wait * 1000)
        for descriptor, events in ready:
            self._serve(watched[descriptor], events)
        self.advance(0)
        return bool(ready)

    def _serve(self, each: Any, events: int) -> None:
        why: Any = None
        try:
            if events & _GONE and not events & select.POLLIN:
                why = main.CONNECTION_DONE if each in self.readers else main.CONNECTION_LOST
            else:
                if events & select.POLLIN and each in self.readers:
                    why = each.doRead()
                if not why and events & select.POLLOUT and each in self.writers:
                    why = each.doWrite()
            if not why and (each in self.readers or each in self.writers) and each.fileno() < 0:
                why = error.ConnectionFdescWentAway("Filedescriptor went away")
        except Exception as raised:
            why = raised
        if why:
            self.removeReader(each)
            self.removeWriter(each)
            self.lost.append((each, why))
            each.connectionLost(Failure(why))

    def until(self, condition: Callable[[], object]) -> None:
        """Turn until `condition()` holds."""
        bound = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < bound, "what the test waits for never came"
            self.turn()

    def settle(self) -> None:
        """Turn until nothing is ready any more (loopback and Unix sockets deliver at once)."""
        for _ in range(10_000):
            if not self.turn(0.002):
                return
        raise AssertionError("the descriptors never come to rest: something spins")
