"""A request whose body goes to disk as it arrives.

twisted.web collects a body first and calls the resource after. These hooks of `twisted.web.http` run earlier, in this order:

- `gotLength`, when the head is complete and before `100 Continue` is sent. Method and target stand only on the channel yet.
- `handleContentChunk`, for every piece of the body, chunking undone.
  Where writing needs a login, the auth service is asked from here, and what follows waits for its answer (`asking`).
- `requestReceived`, when the body is complete; what follows (`process`, the resource) is as ever.
- `connectionLost`, when it never will be.

*Refusing early.* A client that is refused before or during its body gets the answer at once, then the end of our side of
the connection. It may go on sending for `LINGER` seconds, which is thrown away: closing with unread bytes would send a
reset, and that can destroy the answer before the client has seen it.
"""

from io import BytesIO
from typing import TYPE_CHECKING, Any

from svckit.web import GuardedRequest, GuardedSite
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import IResource

from .asking import WRITES, Held, hold
from .intake import Intake, Ticket
from .refusals import TOO_LARGE, Refusal, no_entry, of_error
from .sink import Sink

if TYPE_CHECKING:
    from svckit.auth import Asked, Reception

__all__ = ["LINGER", "UploadRequest", "UploadSite"]

LINGER = 5.0
"""Seconds that a refused client may go on sending; absolute, as an idle time would be moved by every byte."""


class UploadSite(GuardedSite):
    """The site of one intake."""

    def __init__(
        self, resource: IResource, reactor: IReactorTime, intake: Intake, writers: "Reception | None" = None, **kw: Any
    ) -> None:
        """`writers` lets in whoever may write; None: anyone may."""
        super().__init__(resource, reactor, requestFactory=UploadRequest, **kw)
        self.intake, self.writers = intake, writers


class UploadRequest(GuardedRequest):
    """Provides `svckit`'s request for the resource, and the flow for the sink."""

    log = Logger()
    channel: Any
    ticket: Ticket | None = None
    sink: Sink | None = None
    refusal: Refusal | None = None
    """Set where the head was refused and there is no body to be rid of: the resource answers with it."""
    _asking: "Deferred[None] | None" = None
    _held: Held | None = None
    """Set while the auth service is being asked."""
    _cut_off = False
    _lingering: IDelayedCall | None = None
    _paused = False
    _idle_time: float | None = None

    # -- what twisted.web calls

    def gotLength(self, length: int | None) -> None:
        self.content = BytesIO()  # stays empty; twisted.web wants something to seek in
        self.method, self.uri = self.channel._command, self.channel._path  # for the log of an early refusal
        if self.method in WRITES and self.channel.site.writers is not None:
            self._ask(length)
        else:
            self._judge(length)

    def _judge(self, length: int | None) -> None:
        judged = self.channel.site.intake.judge(self.method, self.uri, self._header, length)
        if isinstance(judged, Ticket):
            self.ticket = judged
            self.sink = self.channel.site.intake.begin(self)
        elif judged is not None and length == 0:
            self.refusal = judged
        elif judged is not None:
            self._refuse_now(judged)

    def handleContentChunk(self, data: bytes) -> None:
        if self._cut_off:
            return
        if self._held is not None:
            self._held.pieces.append(data)
            return
        assert self.sink is not None
        if self.sink.received + len(data) > self.channel.site.intake.max_size:  # a chunked one: others have said so before
            self.sink.abort()
            self._refuse_now(TOO_LARGE)
            return
        self.sink.write(data)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        if self._cut_off:
            self.channel.transport.loseConnection()
            return
        if self._held is not None:
            self._held.end = (command, path, version)
            return
        if self._paused:
            # The channel has looked for an idle time to restore after the answer and found none, as we had taken it away.
            self._paused = False
            self.channel._savedTimeOut = self._idle_time
            if not any(self.channel._dataBuffer):  # else it would grow by a read with each request, and fit no hand-back
                self.channel._networkProducer.resumeProducing()
        super().requestReceived(command, path, version)

    def connectionLost(self, reason: Failure) -> None:
        if self._lingering is not None and self._lingering.active():
            self._lingering.cancel()
        self._held = None
        if self._asking is not None:
            self._asking.cancel()
        if self.sink is not None:
            self.sink.abort()
        super().connectionLost(reason)

    # -- the login

    def _ask(self, length: int | None) -> None:
        from svckit.auth.reception import Asked, address_text  # only where there is one to ask

        self._held = hold(self, self.channel._version)
        self.full()
        brought = self.requestHeaders.getRawHeaders(b"Authorization") or ()
        asked = Asked(self.method, self.uri, brought, address_text(self.getClientAddress()))
        self._asking = Deferred.fromCoroutine(self._log_in(self.channel.site.writers, asked, length))
        self._asking.addErrback(self._cannot_ask)

    async def _log_in(self, writers: "Reception", asked: "Asked", length: int | None) -> None:
        found = await writers.user_of(asked)
        held, self._held = self._held, None
        if held is None:
            return  # the client has left
        if held.end is None:
            self.flowing()  # else `requestReceived` sees to it
        if isinstance(found, bytes):
            self.user = found
            self._judge(length)
            if held.waits and not self._cut_off:
                self.channel._send100Continue()
            for piece in held.pieces:
                self.handleContentChunk(piece)
        elif length == 0 or held.end is not None:
            self.refusal = no_entry(found)
        else:
            self._refuse_now(no_entry(found))
        if held.end is not None:
            self.requestReceived(*held.end)

    def _cannot_ask(self, reason: Failure) -> None:
        if reason.check(CancelledError):
            return
        self._held = None
        self.log.failure("a request failed at its login", reason)
        if self.channel is not None and not self._cut_off and not self.startedWriting:
            self._refuse_now(of_error(reason.value))

    # -- what the sink calls

    def full(self) -> None:
        if not self._paused:
            self._paused = True
            self._idle_time = self.channel.setTimeout(None)  # the client is not the one who is slow
        self.channel._networkProducer.pauseProducing()

    def flowing(self) -> None:
        if self._paused and self.channel is not None:
            self._paused = False
            self.channel.setTimeout(self._idle_time)
            self.channel._networkProducer.resumeProducing()

    def failed(self, reason: Failure) -> None:
        refusal = of_error(reason.value)
        if refusal.status == 500:
            self.log.failure("an upload could not be written", reason)
        if self.channel is not None:
            self._refuse_now(refusal)

    # -- ours

    def _header(self, name: bytes) -> bytes | None:
        values = self.requestHeaders.getRawHeaders(name)
        return None if values is None else b", ".join(values)

    def _refuse_now(self, refusal: Refusal) -> None:
        """Answer although the body is not complete, and end the connection in a way that lets the client see it."""
        channel = self.channel
        transport = channel.transport
        self._cut_off = True
        self.requestHeaders.removeHeader(b"Expect")  # twisted.web would send 100 Continue for it
        self.setResponseCode(refusal.status)
        answer = refusal.raw_and_closing()
        transport.write(answer)
        self.sentLength = len(refusal.body)
        channel.site.log(self)
        channel.persistent = False
        channel.setTimeout(None)
        channel._networkProducer.resumeProducing()  # it may have been paused; what comes is thrown away
        channel._networkProducer.unregisterProducer()
        transport.loseWriteConnection()
        self._lingering = channel.site.clock.callLater(LINGER, transport.abortConnection)
