"""A request whose body goes to disk as it arrives.

twisted.web collects a body first and calls the resource after. These hooks of `twisted.web.http` run earlier, in this order:

- `gotLength`, when the head is complete and before `100 Continue` is sent. Method and target stand only on the channel yet.
  Where writing needs a login, the auth service is asked from here; a resumable upload is looked up on disk. What follows
  waits for the answer (`admission`).
- `handleContentChunk`, for every piece of the body, chunking undone.
- `requestReceived`, when the body is complete; what follows (`process`, the resource) is as ever.
- `connectionLost`, when it never will be.

*Refusing early.* A client that is refused before or during its body gets the answer at once, then the end of our side of
the connection. It may go on sending for `LINGER` seconds, which is thrown away: closing with unread bytes would send a
reset, and that can destroy the answer before the client has seen it.
"""

from io import BytesIO

from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from .admission import AskingRequest, Judged
from .asking import WRITES
from .intake import Ticket
from .refusals import LINGER, NO_BODY, TAKEN_OVER, TOO_LARGE, Refusal, of_error
from .splicing import LEAST, Splicing, can_splice
from .tus import heads
from .tus.asked import concerned
from .work import Listening, Work

__all__ = ["UploadRequest"]


class UploadRequest(AskingRequest):
    """Provides `svckit`'s request for the resource, and the flow for the sink."""

    ticket: Ticket | None = None
    work: Work | None = None
    """Set where the body is more than a PUT's."""
    _listening: Listening | None = None
    _length: int | None = None
    _splicing: Splicing | None = None
    _no_pipe = False
    _lingering: IDelayedCall | None = None
    _paused = False
    _idle_time: float | None = None

    # -- what twisted.web calls

    def gotLength(self, length: int | None) -> None:
        self.content = BytesIO()  # stays empty; twisted.web wants something to seek in
        self.method, self.uri = self.channel._command, self.channel._path  # for the log of an early refusal
        self._tus = concerned(self.method, self.uri, self._header, length)
        site = self.channel.site
        store = site.intake.store
        asks = site.writers is not None or store.quota.counts or store.remote
        if self._tus is not None or (self.method in WRITES and asks):
            self._ask(length)
        else:
            self._judge(length)

    def _judge(self, length: int | None) -> None:
        self._take(self.channel.site.intake.judge(self.method, self.uri, self._header, length), length)

    def _take(self, judged: Judged, length: int | None) -> None:
        """What is to become of the body."""
        self._length = length
        if isinstance(judged, Ticket):
            self.ticket = judged
            intake = self.channel.site.intake
            part = intake.store.new_part(judged.digests, self._user_name, judged.holds, judged.hashes, judged.name)
            self.sink = intake.begin(self, part)
        elif isinstance(judged, Work):
            self.work = judged
            self.sink = self.channel.site.intake.begin(self, judged.body, judged.way)
            if judged.listen is not None:
                self._listening = judged.listen(self.channel.site.reactor, self._taken_over)
        elif judged is not None and length == 0:
            self.decided = judged
        elif judged is not None:
            self._refuse_now(judged if isinstance(judged, Refusal) else NO_BODY)

    def handleContentChunk(self, data: bytes) -> None:
        if self._cut_off:
            return
        if self._held is not None:
            self._held.pieces.append(data)
            return
        assert self.sink is not None
        room = self.channel.site.intake.max_size if self.work is None else self.work.room
        if self.sink.received + len(data) > room:  # a chunked one: others have said so before
            self._stop_listening()
            self.sink.abort()
            self._refuse_now(TOO_LARGE)
            return
        received = self.sink.received + len(data)
        splices = self._replayed and self._splices(received)
        self.sink.write(data, splices or received == self._length)
        if splices:
            self._splice()

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        if self._cut_off:
            self.channel.transport.loseConnection()
            return
        if self._held is not None:
            self._held.end = (command, path, version)
            return
        self._stop_listening()
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
        self._stop_listening()
        if self._asking is not None and self._login_runs:
            self._asking.cancel()  # what is looked up on disk has a lock, which must not get lost
        if self.sink is not None:
            self.sink.abort()
        super().connectionLost(reason)

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
        self._stop_listening()
        refusal = of_error(reason.value) if self.work is None else self.work.refusal(reason.value)
        if refusal.status == 500:
            self.log.failure("an upload could not be written", reason)
        if self.channel is not None:
            self._refuse_now(refusal)

    # -- ours

    def _splice(self) -> None:
        """Take the rest of the body past Python, where that can be and is worth it."""
        sink = self.sink
        if sink is not None and self._length is not None and self._splices(sink.received):
            try:
                self._splicing = Splicing(self.channel, sink, self._length - sink.received, self)
            except OSError:  # the ordinary way takes no further descriptors
                self._no_pipe = True
                sink.write(b"")

    def _splices(self, received: int) -> bool:
        return (
            self._splicing is None
            and not self._no_pipe
            and self._length is not None
            and self._length - received >= LEAST
            and self.channel.site.splices
            and hasattr(getattr(self.sink, "body", None), "splice")
            and can_splice(self.channel.transport)
        )

    def _taken_over(self) -> None:
        """Another request wants this upload: what has come stays, the rest is the other's."""
        assert self.sink is not None
        self._listening = None
        self.sink.abort()
        self._refuse_now(TAKEN_OVER)

    def _stop_listening(self) -> None:
        if self._listening is not None:
            self._listening.stop()
            self._listening = None

    def stamp(self) -> None:
        """Set what every answer of the protocol has that the request speaks."""
        if self._tus is not None:
            self.setHeader(b"Tus-Resumable", heads.VERSION)

    def _refuse_now(self, refusal: Refusal) -> None:
        """Answer although the body is not complete, and end the connection in a way that lets the client see it."""
        channel = self.channel
        transport = channel.transport
        if self._tus is not None:
            refusal = refusal.along_with((b"Tus-Resumable", heads.VERSION))
        self._cut_off = True
        if self._splicing is not None:
            self._splicing.stop()
        self.requestHeaders.removeHeader(b"Expect")  # twisted.web would send 100 Continue for it
        self.setResponseCode(refusal.status)
        answer = refusal.raw_and_closing()
        transport.write(answer)
        self.sentLength = len(refusal.body)
        channel.site.log(self)
        channel.persistent = False
        channel.setTimeout(None)
        if self._splicing is not None and self.sink is not None:
            # A thread may have the socket: bytes that the reactor took from it now would be missing between those in the file.
            self.sink.closed.addCallback(self._read_away)
        else:
            self._read_away(None)
        channel._networkProducer.unregisterProducer()
        transport.loseWriteConnection()
        self._lingering = channel.site.clock.callLater(LINGER, transport.abortConnection)

    def _read_away(self, _: None) -> None:
        """What still comes is thrown away; reading may have been paused."""
        if self.channel is not None and self.channel.transport is not None:
            self.channel._networkProducer.resumeProducing()
