"""A plain PUT of some size goes straight from socket to file: one job of a thread moves what has come, waits a moment for more
(`splicing`), and publishes the file as soon as it is whole.

Until then the reactor does not read; where the client is slow, it waits for the socket, and a thread has it again when there is
something. The channel hears of nothing before the end, but the exchange stands in it as any request does.
"""

from functools import partial
from typing import Any

from twisted.python.failure import Failure

from . import refusals
from .exchange import Exchange
from .part import Published
from .plain import Asked
from .splicing import PER_JOB, Moved, Pipe

__all__ = ["Straight"]


class Straight(Exchange):
    """One of them."""

    _busy = _whole = False
    _behind = b""

    def __init__(self, channel: Any, asked: Asked) -> None:
        """
        Raises:
            OSError: there are no descriptors left.
        """
        self._pipe = Pipe(channel.transport.fileno())
        super().__init__(channel, asked)
        self._part = channel.site.intake.store.new_part(name=asked.name)
        self._transport = channel.transport

    def begin(self, first: bytes) -> None:
        """With what has come along with the head; more is to come."""
        self._transport.doRead = self._readable
        self._work(first)

    def take(self, data: bytes) -> None:
        """Called where the kernel does not move them, and the channel has read them."""
        self._behind = data[self.left :]
        self._work(data[: self.left])

    def _readable(self) -> None:
        """In `doRead`'s place: the socket has something, or has ended."""
        if self._busy:  # an earlier answer is out, and the channel reads on: it does not know that a thread has the socket
            self._transport.pauseProducing()
        else:
            self._work(b"")

    def _work(self, first: bytes) -> None:
        self._busy = True
        self._transport.pauseProducing()
        self.channel.setTimeout(None)  # the client is not the one who is slow
        self.channel.site.intake.run(partial(self._job, first)).addCallbacks(self._worked, self._failed)

    def _job(self, first: bytes) -> Published | Moved:
        """In a thread."""
        if first:
            self._part.append([first])
        left = self.left - len(first)
        moved = self._part.splice(self._pipe, min(left, PER_JOB))
        if moved == left:
            self._whole = True
            published: Published = self._part.commit(self.asked.length, self.asked.name)
            return published
        result = Moved(moved + len(first))
        result.ended = moved.ended
        return result

    def _worked(self, result: Published | Moved) -> None:
        self._busy = False
        if isinstance(result, Published):
            self._publish(result)
            return
        self.left -= result
        if self._gone:
            self._discard()
            return
        if result.ended:  # how, the ordinary way of reading tells
            self._read_again()
            self.channel.give_to(self)
        self.channel.setTimeout(self.channel.site.timeOut)
        self._transport.resumeProducing()

    def _failed(self, reason: Failure) -> None:
        self._busy = False
        if self._whole:
            self._discard(counted=False)
            self._publish(reason.value)
            return
        self._discard()
        refusal = refusals.of_error(reason.value)
        if refusal.status == 500:
            self.log.failure("an upload could not be written", reason)
        if not self._gone:
            self.code, self.sentLength = refusal.status, len(refusal.body)
            self._read_again()
            self.channel.site.log(self)
            self.channel.refuse_midway(self, refusal.raw_and_closing())

    def _publish(self, result: Published | BaseException | None) -> None:
        self.left = 0
        self._pipe.close()
        if not self._gone:
            self._read_again()
            self.channel.setTimeout(self.channel.site.timeOut)
            self.channel.body_is_whole(self)
            if self._behind:
                self.channel.dataReceived(self._behind)
        self.published(result or OSError("no reason"))

    def connectionLost(self, reason: Failure) -> None:
        super().connectionLost(reason)
        self._read_again()
        self._pipe.stopped = True
        if not self._busy and self.left:
            self._discard()

    def _read_again(self) -> None:
        self._transport.__dict__.pop("doRead", None)

    def _discard(self, counted: bool = True) -> None:
        """Leave nothing behind of a body that will not be whole; or, not counted here, of one that is."""
        if counted:
            self._pipe.close()
            self.ended("broken_off")
        done = self.channel.site.intake.run(self._part.discard)
        done.addErrback(lambda reason: self.log.failure("a part could not be removed", reason))
