"""A client's connection to one tcp service, request by request (`keepalive = "split"`).

One exchange at a time. A request is made ready for the next hop (`core.onward`) and sent to a replica, over a connection from
the pool or a fresh one; its body follows (`sending`), and so does the response (`backend`). When all of the answer is out, the
next request is looked at: one that belongs to another service, and one whose head is not whole or not sound, goes back to the
router together with the connection and every byte that was read and not answered. So pipelined requests are answered in order,
and there is one place that judges heads.

The states: waiting for a request; connecting; exchanging, with or without a request body to come; flushing the end of an
answer; over.
"""

from typing import TYPE_CHECKING

from ..arrival import Arrival
from ..core.answers import NO_RESPONSE, Answer
from ..core.head import Head
from ..core.onward import Onward, Request
from ..core.termination import CLIENT, DATA, NORMAL, SERVER
from ..flow import DONTWAIT, FIRST, SinkLost
from ..poller import ERROR, HANGUP, READ, WRITE
from .backend import Backend
from .sending import PIPELINED, Sending
from .upload import Upload

if TYPE_CHECKING:
    from .split import Split

__all__ = ["Session"]


class Session(Sending):
    """One client's connection."""

    __slots__ = (
        "_judged",
        "_onward",
        "_patterns",
        "_retried",
    )

    def __init__(self, arrival: Arrival, split: "Split") -> None:
        super().__init__(arrival, split)
        self._onward = arrival.onward or Onward(arrival.client[0], arrival.tls_facts is not None)
        self._retried = False  # the current request has been sent once more
        self._judged = b""  # a whole request that was found to be ours by these patterns
        self._patterns: tuple[tuple[str, bool], ...] = ()

    def start(self) -> None:
        """Serve the request that is there, and then the next."""
        arrival = self._arrival
        if arrival.onward is None:
            arrival.sock.setblocking(False)  # splice(2) waits unless the socket itself is non-blocking
            arrival.onward = self._onward
        self.watch(arrival.sock, self._split.poller, self._on_events)
        assert arrival.head is not None
        self._begin(arrival.head, arrival.preface)

    def resume(self, replica: str, up: int, down: int, idle_since: float) -> None:
        """Be one that has rested: what it was, between two requests."""
        self.replica, self.idle_since = replica, idle_since
        self._up, self._busy, self.woken = up, False, True
        self.down.go_on_from(down)
        self.watch_on(self._arrival.sock, self._split.poller, self._on_events)

    # -- requests

    def _judge(self, buffer: bytes) -> None:
        """Look at the next request."""
        split = self._split
        self._judged = b""
        known = self._onward.known(buffer)
        head = self._onward.head(buffer) if known is None else known.head
        if (
            head is None
            or head.end > split.head_size
            or head.fields.count(b"\n") > split.head_fields
            or not split.owns(head.target)
        ):
            self._hand_back(buffer)
            return
        self._begin(head, buffer)
        if head.end == len(buffer) and self._upload is None:
            self._judged, self._patterns = buffer, split.ownership.patterns

    def _begin(self, head: Head, buffer: bytes) -> None:
        self._busy = True
        self._arrival.head = head
        request = self._onward.known(buffer) or self._onward.make(head, buffer)
        if isinstance(request, Answer):
            self.refuse(request)
            return
        self.request = request
        self._upload = None if request.body is None else Upload(request.body, not self._arrival.shared)
        self._buffer = buffer[request.end :]
        self._ask(request, buffer)

    def _ask(self, request: Request, buffer: bytes) -> None:
        self._busy, self._retried = True, False
        if request.last:
            self._ending = NORMAL
        if self._split.bounded:
            self._asked = buffer[: request.end]
        if not self._split.send(self, request.wire, look=not request.repeatable):
            self._hand_back(buffer)

    # -- what the split tells

    def connected(self, backend: Backend, request: bytes) -> None:
        """There is a connection: send the request."""
        self._connecting = None
        up = backend.up
        self._backend, self._base = backend, up.moved
        self.replica = backend.replica.name
        try:
            backend.begin(self, request)
        except SinkLost:
            self.upload_failed()
            return
        if self._upload is not None and up.held:
            self.want(self.wanted & ~READ)
        elif not self.wanted & READ:
            self._want_more()

    # -- what the client does

    def _on_events(self, events: int) -> None:
        if events & WRITE:
            try:
                if self.down.flush():
                    self.want(self.wanted & ~WRITE)
                    self._taken()
            except SinkLost:
                self.abort(CLIENT)
            if self.over:
                return
        if events & READ:
            if self.wanted & READ:
                self._read()
        elif events & (ERROR | HANGUP):
            self.abort(CLIENT)

    def _read(self) -> None:
        try:
            if self._upload is not None:
                self._send_body(self._upload)
                return
            piece = self._arrival.sock.recv(FIRST, DONTWAIT)
        except (BlockingIOError, InterruptedError):
            return
        except SinkLost:
            self.upload_failed()
            return
        except OSError:
            self.abort(CLIENT)
            return
        if not piece:
            self._eof = True
            self.want(self.wanted & ~READ)
            if not self._busy:
                self.end(NORMAL)
        elif self._busy:
            self._buffer += piece
            if len(self._buffer) >= PIPELINED:
                self.want(self.wanted & ~READ)
        elif piece == self._judged and self._patterns is self._split.ownership.patterns:
            self._ask(self.request, piece)  # many clients ask the same again and again
        else:
            self._judge(piece)

    # -- what the backend tells

    def wait_until_taken(self) -> None:
        """The client is slow: say when it has taken what is held."""
        self.want(self.wanted | WRITE)

    def _taken(self) -> None:
        if self._backend is not None:
            self._backend.resume()
        elif self._connecting is None:
            self.down.rest()
            self._next()

    def closes_after(self, endless: bool) -> bool:
        """Whether the answer that begins now is the last one on this connection."""
        if endless or self._upload is not None or self._split.draining:
            self._ending = NORMAL  # also after an answer before the request is whole: the rest of it is not waited for
        return bool(self._ending)

    def answered(self, backend: Backend, reusable: bool) -> None:
        """The response is complete; its end may still be held for the client."""
        self._up += backend.up.moved - self._base
        self._backend = None
        self._arrival.waits_until = 0.0
        self._split.release(backend, reusable and self._upload is None)
        if self._upload is not None:
            self.want(self.wanted & ~READ)  # there is nowhere to put the rest of it
        if not self.down.held:
            self._next()

    def server_ended(self, reset: bool) -> None:
        """The server's connection has ended within an exchange."""
        backend, request = self._backend, self.request
        assert backend is not None
        if backend.responding:
            if backend.endless and not reset:
                self.answered(backend, False)
            else:
                self.break_off(SERVER + DATA, reset and backend.endless)
            return
        again = not backend.began and request.repeatable and not self._retried
        self._release(backend, False, again)
        if again:
            self._ending = NORMAL if request.last else ""
            self._retried = not backend.reused
            if self._split.send(self, request.wire, look=False, fresh=True):
                return
        self.refuse(NO_RESPONSE)

    # -- between two requests, and the end

    def _next(self) -> None:
        if self._ending or self._split.ending:
            self._finish()
        elif self._buffer:
            buffer, self._buffer = self._buffer, b""
            self._judge(buffer)
        elif self._eof:
            self.end(NORMAL)
        else:
            self._busy = False
            self.idle_since = self._split.now
            if not self.wanted & READ:
                self._want_more()
