"""A connection to a tcp server that is used for one exchange after the other: follows the response (`requesting` sends).

The response goes to the client as it comes. Its boundaries are followed, so that it is known when the connection is free again;
its head is rewritten where it must be, its body never.
"""

from typing import TYPE_CHECKING

from ..arrival import RawSocket
from ..core.answers import BAD_RESPONSE, Answer
from ..core.body import CHUNKED, UNTIL_CLOSE, Body, body_of
from ..core.forwarding import response_head
from ..core.framing import TUNNEL, ResponseFrame, frame_response
from ..core.response import ResponseHead, ResponseReader, read_response
from ..core.termination import CLIENT, DATA, ROUTER
from ..flow import DONTWAIT, FIRST, SMALL, SinkLost
from ..poller import ERROR, HANGUP, READ, WRITE, Poller
from ..window import let_grow
from .connect import Replica
from .requesting import Requesting

if TYPE_CHECKING:
    from ..pipes import Pipes
    from .pool import Pool
    from .session import Session

__all__ = ["Backend"]


class Backend(Requesting):
    """A connection to `replica`. Between two exchanges it has no session and lies in the pool."""

    __slots__ = (
        "_body",
        "_bulky",
        "_head",
        "_keep",
        "_most",
        "_pool",
        "_reader",
        "_wide",
        "endless",
    )

    def __init__(self, sock: RawSocket, replica: Replica, pool: "Pool", poller: Poller, pipes: "Pipes") -> None:
        super().__init__(sock, replica, pipes)
        self._pool = pool
        self.endless = False
        """The response ends with the connection."""
        self._body: Body | None = None
        self._head = b""
        self._reader: ResponseReader | None = None
        self._keep = self._bulky = False
        self._wide = False  # the kernel may hold much of what it sends; so it is not for others, who may be slow
        self._most = SMALL  # bytes to be read with a head; by what the last one came with
        self.watch(sock, poller, self._on_events)

    # -- events

    def _on_events(self, events: int) -> None:
        session = self.session
        if session is None:
            self._pool.drop(self)
            return
        if events & WRITE:
            try:
                if self.up.flush():
                    self.want(self.wanted & ~WRITE)
                    session.resume_upload()
            except SinkLost:
                session.upload_failed()
        if self.wanted & READ:
            if events & (READ | ERROR | HANGUP):
                self._read(session)
        elif events & (ERROR | HANGUP):
            session.upload_failed()  # the client is slow, so what the server has said waits; but it takes nothing more

    def _read(self, session: "Session") -> None:
        body = self._body
        try:
            if body is None:
                piece = self.sock.recv(self._most, DONTWAIT)
                self._most = FIRST if len(piece) < FIRST else SMALL
                self._read_head(session, piece)
            elif self._bulky and body.bulk >= SMALL and session.down.can_splice():
                self._splice(session, body)
            else:
                self._copy(session, body)
        except (BlockingIOError, InterruptedError):
            pass
        except SinkLost:
            session.abort(CLIENT)
        except OSError:
            session.server_ended(reset=True)

    # -- the head

    def _read_head(self, session: "Session", piece: bytes) -> None:
        if not piece:
            session.server_ended(reset=False)
            return
        self.began = True
        buffer = self._head + piece if self._head else piece
        request = session.request
        plain = None if request.special else self._pool.heads.find(buffer)
        if plain is None:
            self._read_any_head(session, buffer)
            return
        self._head, self._reader = b"", None
        end, length = plain
        if length is None or end + length != len(buffer) or session.closes_after(False):
            self._respond(session, buffer, end, CHUNKED if length is None else length, None, None)
            return
        # nearly always: all there, nothing else, and the connection goes on
        self.responding, self.endless = True, False
        if not session.down.send(buffer):
            self._wait_for(session)
        session.answered(self, True)

    def _read_any_head(self, session: "Session", buffer: bytes) -> None:
        while buffer:
            head = read_response(buffer) or self._read_slowly(buffer)
            if head is None:
                self._head = buffer
                return
            frame = (
                head if isinstance(head, Answer) else frame_response(head, session.request.head.method, session.request.upgrade)
            )
            if isinstance(frame, Answer):
                session.refuse(frame)
                return
            assert isinstance(head, ResponseHead)
            self._head, self._reader = b"", None
            if frame.length == TUNNEL:
                session.switch(self, buffer)
                return
            if head.status >= 200:
                self._respond(session, buffer, head.end, frame.length, head, frame)
                return
            if session.request.minor:  # RFC 9110 section 15.2: never to a client of HTTP/1.0
                self._send(session, response_head(buffer, head, frame, close=False))
            buffer = buffer[head.end :]

    def _read_slowly(self, buffer: bytes) -> ResponseHead | Answer | None:
        if self._reader is None:
            self._reader = ResponseReader()
        return self._reader.read(buffer)

    def _respond(
        self,
        session: "Session",
        buffer: bytes,
        end: int,
        length: int,
        head: ResponseHead | None,
        frame: ResponseFrame | None,
    ) -> None:
        """The final response begins: `end` is where its head ends. `head` and `frame` are None where it is a plain one."""
        have = len(buffer) - end
        if length == have:  # nearly always: all there, and nothing else
            body, taken = None, have
        else:
            body = body_of(length)
            taken = body.feed(buffer, end)
        if taken < 0 or (length == CHUNKED and not session.request.minor):
            session.refuse(BAD_RESPONSE)
            return
        self.endless = length == UNTIL_CLOSE
        close = session.closes_after(self.endless)
        if head is None and close:
            head = read_response(buffer)
            assert head is not None
            frame = ResponseFrame(length, True, frozenset())
        if head is None or frame is None:
            wire = buffer if taken == have else buffer[: end + taken]
        else:
            wire = response_head(buffer, head, frame, close) + buffer[end : end + taken]
        self.responding = True
        self._keep = taken == have and (frame is None or frame.persistent)
        self._send(session, wire)
        if body is None or body.complete:
            session.answered(self, self._keep)
        else:
            self._body, self._bulky = body, False

    # -- the body

    def _copy(self, session: "Session", body: Body) -> None:
        piece = self.sock.recv(SMALL, DONTWAIT)
        if not piece:
            session.server_ended(reset=False)
            return
        taken = body.feed(piece)
        if taken < 0:
            session.break_off(ROUTER + DATA, reset=False)
            return
        self._bulky = len(piece) == SMALL
        self._send(session, piece if taken == len(piece) else piece[:taken])
        if body.complete:
            self._body = None
            session.answered(self, self._keep and not self._wide and taken == len(piece))

    def _splice(self, session: "Session", body: Body) -> None:
        down = session.down
        taken = down.splice(self._descriptor, body.bulk)
        if not taken:
            session.server_ended(reset=False)
            return
        body.skip(taken)
        if down.held:
            self._wait_for(session)
        elif body.complete or down.thin:
            down.rest()
        elif not self._wide and down.moved >= down.fast_at:
            let_grow(self.sock)
            self._wide = True
        self._bulky = not down.thin
        if body.complete:
            self._body = None
            session.answered(self, self._keep and not self._wide)

    def _send(self, session: "Session", piece: bytes) -> None:
        if not session.down.send(piece):
            self._wait_for(session)

    def _wait_for(self, session: "Session") -> None:
        self.want(self.wanted & ~READ)
        session.wait_until_taken()
