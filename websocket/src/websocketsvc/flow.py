"""Back-pressure: a client that does not read what it is sent is not read from either.

Without it, an echo to a client that only sends grows by all that it sends. `Flow` is registered as the transport's producer.
While the transport's own buffer is full it stops reading, and whatever it was told to hold back waits too. What then sits in
memory is bounded by the transport's buffer, one read, and what the service writes by itself.

A client that stays like that for `stall_timeout` is given up. What others have to say to it (a room, a feed) does not stop
meanwhile, so what was written since the buffer was full is counted, too (`backlog`).

Who else wants to produce (a wrapped protocol with a file to send) is attached behind, so pings that nobody reads the pongs
of are held back just the same while it produces.
"""

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from zope.interface import implementer

__all__ = ["Flow"]


@implementer(IPushProducer)
class Flow:
    """The two directions of one connection."""

    def __init__(
        self,
        transport: Any,
        clock: IReactorTime,
        stall_timeout: float,
        on_stall: Callable[[], None],
        on_resume: Callable[[], None],
    ) -> None:
        """`on_resume` is called when reading is about to go on; it may fill the transport again."""
        self._transport, self._clock = transport, clock
        self._stall_timeout, self._on_stall, self._on_resume = stall_timeout, on_stall, on_resume
        self._full = self._held = self._closed = False
        self._backlog = 0
        self._stall: IDelayedCall | None = None
        self._pump_call: IDelayedCall | None = None
        self._producer: Any = None
        self._streaming = True
        transport.registerProducer(self, True)

    @property
    def reading(self) -> bool:
        """Whether what the client sends may be handed on."""
        return not (self._full or self._held)

    @property
    def producing(self) -> bool:
        """Whether a producer is attached."""
        return self._producer is not None

    def backlog(self, size: int) -> int:
        """Count what is about to be written; the bytes that will wait beyond what the transport's buffer likes to hold."""
        if self._full:
            self._backlog += size
        return self._backlog

    # -- the transport speaks (IPushProducer)

    def pauseProducing(self) -> None:
        if self._closed or self._full:
            return
        self._full = True
        self._transport.pauseProducing()
        self._stall = self._clock.callLater(self._stall_timeout, self._stalled)
        if self._producer is not None and self._streaming:
            self._producer.pauseProducing()

    def resumeProducing(self) -> None:
        if self._closed or not self._full:
            return
        self._full, self._backlog = False, 0
        _cancel(self._stall)
        self._resume_reading()
        if self._full:
            return
        if self._streaming:
            if self._producer is not None:
                self._producer.resumeProducing()
        else:
            self._pump()

    def stopProducing(self) -> None:
        producer, self._producer = self._producer, None
        self.close()
        if producer is not None:
            producer.stopProducing()

    def _stalled(self) -> None:
        self._stall = None
        self._on_stall()

    # -- the protocol behind speaks

    def hold(self) -> None:
        """Read no more until `let_go`."""
        if not self._closed:
            self._held = True
            self._transport.pauseProducing()

    def let_go(self) -> None:
        """Go on reading, as far as the other direction allows."""
        if self._held:
            self._held = False
            self._resume_reading()

    def _resume_reading(self) -> None:
        if self.reading and not self._closed:
            self._on_resume()
        if self.reading and not self._closed:
            self._transport.resumeProducing()

    def attach(self, producer: Any, streaming: bool) -> None:
        """As ITransport.registerProducer.

        Raises:
            RuntimeError: another is attached already.
        """
        if self._producer is not None:
            raise RuntimeError(f"cannot attach {producer!r}: {self._producer!r} has not been detached")
        if self._closed:
            producer.stopProducing()
            return
        self._producer, self._streaming = producer, streaming
        if not streaming:
            self._pump()
        elif self._full:
            producer.pauseProducing()

    def detach(self) -> None:
        """As ITransport.unregisterProducer."""
        self._producer, self._streaming = None, True
        _cancel(self._pump_call)

    def _pump(self) -> None:
        """Ask a pull producer for one piece after the other, one in each turn of the reactor, while there is room."""
        _cancel(self._pump_call)
        if self._producer is not None and not self._full:
            self._producer.resumeProducing()
            if self._producer is not None and not self._full:
                _cancel(self._pump_call)  # it may have attached another meanwhile
                self._pump_call = self._clock.callLater(0, self._pump)

    # -- the end

    def close(self) -> None:
        """Hold nothing back any more: a Close that the client sends must be heard, whatever else is stuck."""
        if self._closed:
            return
        self._closed = True
        _cancel(self._stall)
        _cancel(self._pump_call)
        self._transport.unregisterProducer()
        if not self.reading:
            self._full = self._held = False
            self._transport.resumeProducing()


def _cancel(call: IDelayedCall | None) -> None:
    if call is not None and call.active():
        call.cancel()
