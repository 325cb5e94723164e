"""A client's connection to one tcp service, request by request (`keepalive = "split"`).

One exchange at a time. A request is framed, rewritten for the next hop and sent to a replica, over a connection from the pool
or a fresh one; its body follows, and so does the response (`backend`). When all of the answer is out, the next request is
looked at: one that belongs to another service, and one whose head is not whole or not sound, goes back to the router
together with the connection and every byte that was read and not answered. So pipelined requests are answered in order, and
there is one place that judges heads.

The states: waiting for a request; connecting; exchanging, with or without a request body to come; flushing the end of an
answer; over.
"""

import contextlib
import socket
from typing import TYPE_CHECKING

from ..arrival import Arrival
from ..core.answers import BAD_FRAMING, BAD_HOST, NO_RESPONSE, SILENT, Answer
from ..core.body import Body, body_of
from ..core.forwarding import request_fields
from ..core.framing import RequestFrame, frame_request, host_agrees
from ..core.head import Head, read_head
from ..flow import PIPE_SIZE, SMALL, THIN, TURNS, Flow, SinkLost
from ..linger import Linger
from ..poller import ERROR, HANGUP, READ, WRITE
from .backend import Backend
from .connect import Connecting

if TYPE_CHECKING:
    from .split import Split

__all__ = ["PIPELINED", "Session"]

PIPELINED = 65_536
"""Bytes of further requests that are read while one is being answered."""
IDEMPOTENT = frozenset((b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"))
"""Methods whose request may be sent once more (RFC 9110 section 9.2.2)."""

_DONTWAIT = int(socket.MSG_DONTWAIT)
_RESET = b"\1\0\0\0\0\0\0\0"


class Session:
    """One client's connection."""

    __slots__ = (
        "_again",
        "_arrival",
        "_backend",
        "_base",
        "_body",
        "_buffer",
        "_bulky",
        "_busy",
        "_connecting",
        "_descriptor",
        "_ended_by",
        "_eof",
        "_fields",
        "_frame",
        "_rewritten",
        "_scheme",
        "_split",
        "_up",
        "_wanted",
        "down",
        "idle_since",
        "method",
        "minor",
        "over",
        "replica",
        "upgrade",
    )

    def __init__(self, arrival: Arrival, split: "Split") -> None:
        self._arrival, self._split = arrival, split
        self._descriptor = arrival.sock.fileno()
        self._scheme = b"https" if arrival.tls_facts is not None else b"http"
        self.down = Flow(arrival.sock, split.pipes)
        self._up = self._base = 0  # bytes up; what the current backend had sent when we got it
        self.over = False
        self.replica = ""
        """Who served the last request."""
        self.idle_since = 0.0
        self._busy = True  # from a request's head until all of its answer is out
        self._backend: Backend | None = None
        self._connecting: Connecting | None = None
        self._buffer = b""  # read, and not part of the current request
        self._body: Body | None = None  # of the current request, as long as some of it is to come
        self._bulky = False
        self._again: bytes | None = None  # the whole current request, if it may be sent once more
        self._eof = False  # the client sends nothing more
        self._ended_by = ""  # who wants the connection to end after this answer
        self.method, self.minor, self.upgrade = b"", 1, False
        # A client's requests nearly always have the same fields: what was found out about the last ones.
        self._fields: bytes | None = None
        self._frame: RequestFrame | None = None
        self._rewritten = b""
        self._wanted = READ

    @property
    def arrival(self) -> Arrival:
        """The connection; its head is that of the request under way."""
        return self._arrival

    def start(self) -> None:
        """Serve the request that is there, and then the next."""
        arrival = self._arrival
        arrival.sock.setblocking(False)  # splice(2) waits unless the socket itself is non-blocking
        self._split.poller.add(self._descriptor, READ, self._on_events)
        assert arrival.head is not None
        self._request(arrival.head, arrival.preface)

    @property
    def idle(self) -> bool:
        """Whether it waits for a request."""
        return not self._busy

    # -- requests

    def _judge(self, buffer: bytes) -> None:
        """Look at the next request."""
        head = read_head(buffer)
        split = self._split
        if head is None or head.end > split.head_size or not split.owns(head.target):
            self._hand_back(buffer)
        else:
            self._request(head, buffer)

    def _request(self, head: Head, buffer: bytes) -> None:
        self._busy = True
        self._arrival.head = head
        refused = self._prepare(head)
        if refused is not None:
            self.refuse(refused)
            return
        frame = self._frame
        assert frame is not None
        self.method, self.minor, self.upgrade = head.method, min(head.minor, 1), frame.upgrade
        end, body = head.end, None
        if frame.length:
            body = body_of(frame.length)
            taken = body.feed(buffer, end)
            if taken < 0:
                self.refuse(BAD_FRAMING)
                return
            end += taken
            if body.complete:
                body = None
        self._body, self._bulky = body, False
        request = b"%b %b HTTP/1.%d\r\n%b" % (self.method, head.target, self.minor, self._rewritten)
        if end > head.end:
            request += buffer[head.end : end]
        self._buffer = buffer[end:]
        if not frame.persistent:
            self._ended_by = "client"
        repeatable = body is None and head.method in IDEMPOTENT
        self._again = request if repeatable else None
        if not self._split.send(self, request, look=not repeatable):
            self._hand_back(buffer)

    def _prepare(self, head: Head) -> Answer | None:
        """Find out how the request is framed and what its fields become; the answer if it is refused."""
        if head.fields != self._fields or not head.minor or head.method == b"CONNECT":
            self._fields = None
            frame = frame_request(head)
            if isinstance(frame, Answer):
                return frame
            self._frame = frame
            if head.minor and head.method != b"CONNECT":
                self._fields = head.fields
            self._rewritten = request_fields(head, frame, self._arrival.client[0].encode("ascii"), self._scheme)
        if not head.target.startswith(b"/"):
            assert self._frame is not None
            if not host_agrees(head.target, self._frame.host):
                return BAD_HOST
        return None

    # -- what the split tells

    def connecting(self, connecting: Connecting) -> None:
        """A connection is being made; the body waits for it."""
        self._connecting = connecting
        if self._body is not None:
            self._want(self._wanted & ~READ)

    def connected(self, backend: Backend, request: bytes) -> None:
        """There is a connection: send the request."""
        self._connecting = None
        self._backend, self._base = backend, backend.up.moved
        self.replica = backend.replica.name
        try:
            backend.begin(self, request)
        except SinkLost:
            self.upload_failed()
            return
        if self._body is not None and backend.up.held:
            self._want(self._wanted & ~READ)
        elif not self._wanted & READ:
            self._want_more()

    def unconnected(self, answer: Answer) -> None:
        """No replica accepted."""
        self._connecting = None
        self.refuse(answer)

    # -- what the client does

    def _on_events(self, events: int) -> None:
        if events & WRITE:
            try:
                if self.down.flush():
                    self._want(self._wanted & ~WRITE)
                    self._taken()
            except SinkLost:
                self.end("client", reset=True)
            if self.over:
                return
        if events & READ:
            self._read()
        elif events & (ERROR | HANGUP):
            self.end("client", reset=True)

    def _read(self) -> None:
        if not self._wanted & READ:
            return
        body = self._body
        try:
            if body is not None:
                self._upload(body)
                return
            piece = self._arrival.sock.recv(SMALL, _DONTWAIT)
        except (BlockingIOError, InterruptedError):
            return
        except SinkLost:
            self.upload_failed()
            return
        except OSError:
            self.end("client", reset=True)
            return
        if not piece:
            self._eof = True
            self._want(self._wanted & ~READ)
            if not self._busy:
                self.end("client")
        elif self._busy:
            self._buffer += piece
            if len(self._buffer) >= PIPELINED:
                self._want(self._wanted & ~READ)
        else:
            self._judge(piece)

    def _upload(self, body: Body) -> None:
        backend = self._backend
        if backend is None:
            return
        up = backend.up
        if self._bulky and body.bulk >= SMALL and up.can_splice():
            for _ in range(TURNS):
                taken = up.splice(self._descriptor, min(body.bulk, PIPE_SIZE))
                if not taken:
                    self.end("client")
                    return
                body.skip(taken)
                self._bulky = taken >= THIN
                if up.held or not self._bulky or body.bulk < SMALL:
                    break
        else:
            piece = self._arrival.sock.recv(SMALL, _DONTWAIT)
            taken = body.feed(piece)
            if not piece:
                self.end("client")
                return
            if taken < 0:
                self._refuse_body()
                return
            self._bulky = len(piece) == SMALL
            self._buffer = piece[taken:]
            up.send(piece if taken == len(piece) else piece[:taken])
        if body.complete:
            self._body = None
        if up.held:
            self._want(self._wanted & ~READ)
            backend.want(READ | WRITE)

    def _refuse_body(self) -> None:
        if self._backend is not None and self._backend.responding:
            self.end("client")
        else:
            self.refuse(BAD_FRAMING)

    def _want(self, events: int) -> None:
        if events != self._wanted:
            self._split.poller.change(self._descriptor, self._wanted, events)
            self._wanted = events

    def _want_more(self) -> None:
        if not self._wanted & READ and not self._eof and len(self._buffer) < PIPELINED:
            self._want(self._wanted | READ)

    # -- what the backend tells

    def resume_upload(self) -> None:
        """The server has taken all it was sent."""
        self._want_more()

    def upload_failed(self) -> None:
        """The server takes nothing more. What it has said may still come; the rest of the request has no use."""
        assert self._backend is not None
        self._ended_by = "service"
        if self._body is not None:
            self._want(self._wanted & ~READ)
        self._backend.want(READ)

    def wait_until_taken(self) -> None:
        """The client is slow: say when it has taken what is held."""
        self._want(self._wanted | WRITE)

    def _taken(self) -> None:
        if self._backend is not None:
            self._backend.resume()
        elif self._connecting is None:
            self._next()

    def closes_after(self, endless: bool) -> bool:
        """Whether the answer that begins now is the last one on this connection."""
        if not self._ended_by:
            if endless:
                self._ended_by = "service"
            elif self._body is not None or self._split.draining:
                self._ended_by = "router"  # an answer before the request is whole: the rest of it is not waited for
        return bool(self._ended_by)

    def answered(self, backend: Backend, reusable: bool) -> None:
        """The response is complete; its end may still be held for the client."""
        self._release(backend, reusable and self._body is None)
        if not self.down.held:
            self._next()

    def server_ended(self, reset: bool) -> None:
        """The server's connection has ended within an exchange."""
        backend, again = self._backend, self._again
        assert backend is not None
        if backend.responding:
            if backend.endless and not reset:
                self.answered(backend, False)
            else:
                self._break_off(reset and backend.endless)
            return
        self._release(backend, False)
        # A kept connection that was dead; or a fresh one that a server which stops had accepted, and resets unread.
        if (backend.reused or reset) and not backend.began and again is not None:
            self._ended_by = "" if self._ended_by == "service" else self._ended_by
            self._again = None
            if self._split.send(self, again, look=False, fresh=True):
                return
        self.refuse(NO_RESPONSE)

    def _break_off(self, reset: bool) -> None:
        """A response that stays incomplete must look so to the client: what there is of it goes out, and then the end."""
        assert self._backend is not None
        self._release(self._backend, False)
        if reset or not self.down.held:
            self.end("service", reset)
        else:
            self._ended_by, self._eof = "service", True

    def _release(self, backend: Backend, reusable: bool) -> None:
        self._up += backend.up.moved - self._base
        self._backend = None
        self._split.release(backend, reusable)

    def switch(self, backend: Backend, reply: bytes) -> None:
        """The server speaks another protocol from now on: join the two, and leave."""
        if self._body is not None or backend.up.held or self.down.held:
            self.end("service", reset=True)
            return
        self._backend = None
        self._up += backend.up.moved - self._base
        backend.detach()
        self._detach()
        self._split.tunnel(self, self._arrival, backend, self._buffer, reply, self._up, self.down.moved)

    # -- between two requests, and the end

    def _next(self) -> None:
        if self._ended_by or self._split.ending:
            self._finish()
        elif self._buffer:
            buffer, self._buffer = self._buffer, b""
            self._judge(buffer)
        elif self._eof:
            self.end("client")
        else:
            self._busy = False
            self.idle_since = self._split.now
            if not self._wanted & READ:
                self._want_more()

    def _finish(self) -> None:
        """The last answer is out. What the client may still be sending is read away first: unread, it would make a reset."""
        by = self._ended_by or "router"
        if self._eof or (by == "client" and self._body is None and not self._buffer):
            self.end(by)
            return
        self._detach()
        self._split.ended(self, self._arrival, by, self._up, self.down.moved)
        Linger(self._arrival, SILENT, self._split.poller, self._split.reactor)

    def _hand_back(self, unread: bytes) -> None:
        self._detach()
        self._split.hand_back(self, self._arrival, unread, self._up, self.down.moved)

    def refuse(self, answer: Answer) -> None:
        """The router answers in place of the service, and closes."""
        if self.down.held:  # an interim response that the client does not take
            self.end("router")
            return
        self._detach()
        self._split.refuse(self, self._arrival, answer)

    def end(self, by: str, reset: bool = False) -> None:
        """Close the connection; `by` is who ended it."""
        if self.over:
            return
        self._detach()
        if reset:
            with contextlib.suppress(OSError):
                self._arrival.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._arrival.close()
        self._split.ended(self, self._arrival, by, self._up, self.down.moved)

    def _detach(self) -> None:
        """Let go of the client's socket, and of what is under way for it."""
        self.over = True
        self._split.poller.remove(self._descriptor, self._wanted)
        if self._connecting is not None:
            self._connecting.cancel()
            self._connecting = None
        if self._backend is not None:
            self._release(self._backend, False)
        self.down.close()
