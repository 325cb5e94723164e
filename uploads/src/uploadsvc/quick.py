"""The quick way: a plain PUT is taken without a Request of twisted.web's.

It is taken only when nothing is special: the connection is at rest, the head is whole and the strict reader understands it, it
has a length, and neither a condition, a digest nor an expectation. A file of at most `MOST` bytes is gathered and published
together with others, a larger one goes straight from socket to file (`straight`). Everything else goes the way it always went,
and gets the same answer. While the body comes, and until it is answered, the exchange stands in the channel as
any request does, so that a drain, a lost connection and a pipelined request find what they expect.
"""

from math import inf
from typing import Any

from svckit.ownership import Ownership
from svckit.web import GuardedChannel

from .exchange import Exchange, Gathered
from .intake import PREFIX
from .plain import Asked, read
from .refusals import LINGER
from .splicing import can_splice
from .straight import Straight

__all__ = ["MOST", "QuickChannel"]

MOST = 64 * 1024
"""Bytes of a file that lies in memory while it comes."""


class QuickChannel(GuardedChannel):
    """A channel that takes plain files by itself."""

    site: Any
    _taking: Exchange | None = None
    """The exchange whose body is not whole, where its bytes come this way."""

    def dataReceived(self, data: bytes) -> None:
        if self._taking is not None:
            self.resetTimeout()
            self._taking.take(data)
        elif not (data[:4] == b"PUT " and self.at_rest and self._takes(data)):
            super().dataReceived(data)

    def _takes(self, data: bytes) -> bool:
        intake, together = self.site.intake, self.site.together
        if together is None or self.site.writers is not None or (asked := read(data)) is None or intake.busy():
            return False
        rest = asked.length - (len(data) - asked.end)
        large = asked.length > MOST
        if rest < 0 or asked.length > intake.max_size or (rest and intake.no_space(asked.length, asked.name)):
            return False
        if large and not (
            rest and self.site.splices and not (asked.hashes or intake.store.hashes) and can_splice(self.transport)
        ):
            return False
        if self.lease is not None and self.requests_begun and self._is_anothers(self.lease.ownership, asked.target):
            return False
        return self._begin_large(asked, data) if large else self._begin_small(asked, data, rest)

    def _is_anothers(self, ownership: Ownership, target: bytes) -> bool:
        if self.site.all_ours is ownership.patterns:
            return False
        if ownership.owns_below(PREFIX):
            self.site.all_ours = ownership.patterns
        return not ownership.owns(target)

    def _begin_small(self, asked: Asked, data: bytes, rest: int) -> bool:
        self.resetTimeout()
        self.begin_request()
        exchange = Gathered(self, asked)
        if rest:
            self.requests.append(exchange)
            self.give_to(exchange)
            exchange.take(data[asked.end :])
        else:
            exchange.whole([data[asked.end :]])
        return True

    def _begin_large(self, asked: Asked, data: bytes) -> bool:
        try:
            exchange = Straight(self, asked)
        except OSError:  # no descriptors are left for it; the ordinary way takes none
            return False
        self.begin_request()
        self.requests.append(exchange)
        exchange.begin(data[asked.end :])
        return True

    def give_to(self, exchange: Exchange) -> None:
        """What arrives here is its, until its body is whole."""
        self._taking = exchange

    def body_is_whole(self, exchange: Exchange) -> None:
        """From here on a pipelined request waits, and the client is not the one who is slow."""
        self._taking = None
        if exchange in self.requests:
            self.requests.remove(exchange)
        self.begin_answer(exchange)

    def expect_answer(self, exchange: Exchange) -> None:
        """As `body_is_whole`, of one that is to be answered before anything else can be read: the idle time goes on."""
        self._taking = None
        if exchange not in self.requests:
            self.requests.append(exchange)
        self._handlingRequest, self._savedTimeOut = True, None
        self.setRawMode()
        if self._waitingForTransport:  # earlier answers are not out, and reading may stand still until they are
            self.no_answer_yet()

    def timeoutConnection(self) -> None:
        if self._handlingRequest and self.requests:
            self.no_answer_yet()  # the process stood still: the client has waited
        else:
            super().timeoutConnection()

    def no_answer_yet(self) -> None:
        """It takes longer than that: the client is not the one who is slow."""
        if self._savedTimeOut is None:
            self._savedTimeOut = self.setTimeout(None)

    def answered(self, exchange: Exchange) -> None:
        """Its answer is on its way."""
        if self._quiet:
            self.requests.clear()
            self._handlingRequest = False
            self.setLineMode()
        else:
            self.requestDone(exchange)  # type: ignore[arg-type]  # it has what the channel asks of one

    @property
    def _quiet(self) -> bool:
        """Whether nothing at all has happened since `expect_answer`."""
        return bool(self.persistent) and not (
            self._savedTimeOut
            or self._dataBuffer
            or self._waitingForTransport
            or self._leaving
            or self._draining
            or self._client_ended
        )

    def refuse_midway(self, exchange: Exchange, answer: bytes) -> None:
        """Answer although the body is not whole; its rest is read away, however much that is, while there is time."""
        self._taking = None
        self.requests.remove(exchange)
        self.setTimeout(self.site.timeOut)  # of the time in which the answer goes out
        self.refuse(answer, inf, LINGER)

    def connectionLost(self, *reason: Any) -> None:
        self._taking = None
        super().connectionLost(*reason)
