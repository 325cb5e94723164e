"""The prefix guard: an HTTP channel that answers only what belongs to its service, and gives the rest back.

A client with keep-alive may ask on one connection for `/static/x` and then for `/uploads/y`. The guard sits where
twisted.web meets each request line, after the earlier answers are out (twisted.web serves pipelined requests one by one). A
request that is not this service's goes back to the router together with its connection and all that was read; where nobody
would take it back, the client gets 421 (RFC 9110 section 15.5.20) and the connection closes.
"""

from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IDelayedCall, IHalfCloseableProtocol
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web import http
from zope.interface import implementer

from .lease import IDrainable, ILeased, Lease
from .linger import LINGER_BYTES, LINGER_TIME
from .refusals import BAD_REQUEST, HEAD_TIMEOUT, MISDIRECTED, TOO_LARGE
from .strictheads import HEAD_SIZE, StrictHead

if TYPE_CHECKING:
    from .web import GuardedSite

__all__ = ["HEAD_DEADLINE", "GuardedChannel"]

HEAD_DEADLINE = 10.0
"""Seconds for the head of a second or later request, from its first byte; for the first one the router has a deadline."""


@implementer(ILeased, IDrainable, IHalfCloseableProtocol)
class GuardedChannel(http.HTTPChannel):
    """An HTTP/1.1 channel that answers only what belongs to its service.

    It reads heads as strictly as the router reads the first one, has a deadline for them, answers a client that has ended its
    side, and reads nothing while there is something to answer: what is handed back with a connection stays small.
    """

    transport: Any  # ITCPTransport and IConsumer in one
    site: "GuardedSite"
    lease: Lease | None = None
    _requests_begun = 0
    _head: StrictHead
    _draining = False
    _leaving = False
    _client_ended = False
    _refused = _we_ended = False
    _left_to_read_away: float = LINGER_BYTES
    _linger_time = LINGER_TIME
    _linger_timer: IDelayedCall | None = None
    _head_timer: IDelayedCall | None = None
    maxHeaders = HEAD_SIZE  # fields are counted by the strict reader, and those of the first head by the router
    _optimisticEagerReadSize = 0  # else pipelined requests would pile up here, and grow with every hand-back

    def dataReceived(self, data: bytes) -> None:
        if self._refused:
            self._read_away(len(data))
            return
        super().dataReceived(data)
        if self._handlingRequest and any(self._dataBuffer) and not self._ending:
            self.transport.pauseProducing()  # what came behind a body; twisted.web would go on reading
        self._mind_the_head()

    def lineReceived(self, line: bytes) -> None:
        if self._leaving:
            return
        if self._at_request_line:
            if line and not self._may_begin(line):
                return
        elif refused := self._head.field(line) if line else self._head.end():
            self.refuse(refused)
            return
        super().lineReceived(line)

    @property
    def _ending(self) -> bool:
        return bool(getattr(self.transport, "disconnecting", False))

    # -- for a subclass that answers some requests by itself

    @property
    def at_rest(self) -> bool:
        """Whether the next bytes begin a request that may be answered: nothing is half read, nothing is being answered."""
        return not (
            self._handlingRequest
            or self._buffer
            or self._leaving
            or self._draining
            or self._client_ended
            or not self.line_mode
            or not self._at_request_line
        )

    @property
    def requests_begun(self) -> int:
        return self._requests_begun

    def begin_request(self) -> None:
        """Count a request that `lineReceived` does not see."""
        self._requests_begun += 1
        self._HTTPChannel__first_line = 1  # an empty line before the next one is passed over again

    def begin_answer(self, request: Any) -> None:
        """Treat `request`, which was read whole, as one that is being answered, until `requestDone(request)`."""
        self.requests.append(request)
        self._handlingRequest = True
        self._savedTimeOut = self.setTimeout(None)
        self.setRawMode()

    # -- what is read

    def _may_begin(self, line: bytes) -> bool:
        self._requests_begun += 1
        if self._requests_begun > 1 and self.persistent and self._is_foreign(line):
            self._leave(line + b"\r\n")
            return False
        self._head = StrictHead()
        refused = self._head.begin(line, of_router=self._requests_begun == 1)
        if refused is not None:
            self.refuse(refused)
        return refused is None

    def lineLengthExceeded(self, line: bytes) -> None:
        """A line of a head is longer than `MAX_LENGTH`; twisted.web would close without a word."""
        self.refuse(TOO_LARGE)

    def _respondToBadRequestAndDisconnect(self) -> None:
        self.refuse(BAD_REQUEST)

    # -- an early answer, and the end: a socket closed with unread bytes in it is reset, and that may eat the answer

    def refuse(self, answer: bytes, most: float = LINGER_BYTES, seconds: float = LINGER_TIME) -> None:
        """Answer, end our side when all is out, and read away what the client still sends, for a while and `most` bytes."""
        if self._refused:
            return
        self._left_to_read_away, self._linger_time = most, seconds
        self._leaving = self._refused = True
        self._stop_head_timer()
        self.clearLineBuffer()
        self.transport.write(answer)
        if self._we_ended:
            return  # a service has answered early: it reads away, and cuts
        if self._client_ended or not hasattr(self.transport, "loseWriteConnection"):
            self.loseConnection()
            return
        self.transport.unregisterProducer()
        self.transport.pauseProducing()  # earlier answers may have to go out first, which may take long
        self.transport.loseWriteConnection()

    def _read_away(self, count: int) -> None:
        self._left_to_read_away -= count
        if self._left_to_read_away <= 0:
            self.loseConnection()

    # -- the deadline of a head

    def _mind_the_head(self) -> None:
        """The clock runs while a head has begun and is not complete, however many bytes trickle in."""
        begun = self.line_mode and (not self._at_request_line or bool(self._buffer))
        if begun and not self._leaving:
            if self._head_timer is None:
                self._head_timer = self.callLater(HEAD_DEADLINE, lambda: self.refuse(HEAD_TIMEOUT))
        else:
            self._stop_head_timer()

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            if self._head_timer.active():
                self._head_timer.cancel()
            self._head_timer = None

    # -- a client that has ended its side, and may still read

    def readConnectionLost(self) -> None:
        """Answer what is whole, then close; what is not whole never will be."""
        self._client_ended = True
        if not self._handlingRequest or self._leaving:
            self.loseConnection()  # not the transport's own: with us as its producer it would wait for more when all is out

    def writeConnectionLost(self) -> None:
        """We have ended our side, after an early answer; the rest is being read away."""
        self._we_ended = True
        if self._refused:
            self._linger_timer = self.callLater(self._linger_time, self.loseConnection)
            self.transport.resumeProducing()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._stop_head_timer()
        if self._linger_timer is not None and self._linger_timer.active():
            self._linger_timer.cancel()
        super().connectionLost(reason)

    @property
    def _at_request_line(self) -> bool:
        return bool(self._HTTPChannel__first_line)

    def _is_foreign(self, request_line: bytes) -> bool:
        if self.lease is None:
            return False
        if self._draining and self.lease.returnable:
            return True
        words = request_line.split(b" ")
        return len(words) == 3 and not self.lease.ownership.owns(words[1])

    def _leave(self, unread: bytes) -> None:
        """Give the connection back; the idle timeout goes on, as the client may not be reading the last answer."""
        self._leaving = True
        assert self.lease is not None
        if self.lease.returnable:
            unread += self.clearLineBuffer()
            self.transport.unregisterProducer()
            self.lease.hand_back(unread)
        else:
            self.refuse(MISDIRECTED)

    def isSecure(self) -> bool:
        return getattr(self.transport, "secure", False) or super().isSecure()

    # -- drain

    def drain(self) -> None:
        self._draining = True
        if self._leaving:
            return
        if not self.requests:
            self._end_idle()
        elif self.lease is None or not self.lease.returnable:
            self.persistent = False
            for request in self.requests:
                if not request.startedWriting:
                    request.responseHeaders.setRawHeaders(b"Connection", [b"close"])

    def requestDone(self, request: http.Request) -> None:
        super().requestDone(request)
        self._mind_the_head()
        if self._leaving or self._ending:
            return  # answering it has brought the next ones with it
        if self._client_ended and not self._handlingRequest:
            self.loseConnection()
        elif self._draining and not self.requests and self.persistent:
            self._end_idle()

    def _end_idle(self) -> None:
        if self.lease is not None and self.lease.returnable and self.persistent:
            self._leave(b"")
        else:
            self.loseConnection()

    def expire(self) -> None:
        self.transport.abortConnection()
