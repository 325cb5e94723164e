"""How a client's connection leaves a tcp service that is followed request by request: ended in order, broken off, refused,
handed back to the router, or joined to the server for good.

Everything that a session holds is let go of here, and nowhere else.
"""

import contextlib
import socket
from collections.abc import Collection
from typing import TYPE_CHECKING

from ..arrival import Arrival
from ..core.answers import NO_ANSWER, SILENT, Answer
from ..core.onward import Request
from ..core.termination import (
    CLIENT_TIME,
    CONNECT,
    DATA,
    LAST,
    NORMAL,
    REQUEST,
    RESPONSE,
    ROUTER,
    SERVER_TIME,
    Phase,
    Who,
)
from ..flow import RESET, Flow
from ..pipes import NO_PIPES
from ..poller import READ
from ..resting import can_rest
from .backend import Backend
from .connect import Connecting, Replica
from .upload import Upload
from .watched import Watched

if TYPE_CHECKING:
    from .split import Split

__all__ = ["Leaving"]


class Leaving(Watched):
    """The part of a session that ends it."""

    __slots__ = (
        "_arrival",
        "_asked",
        "_backend",
        "_base",
        "_buffer",
        "_busy",
        "_connecting",
        "_ending",
        "_eof",
        "_split",
        "_up",
        "_upload",
        "down",
        "idle_since",
        "over",
        "replica",
        "request",
        "woken",
    )

    request: Request
    """The one under way, or the last one."""

    def __init__(self, arrival: Arrival, split: "Split") -> None:
        self._arrival, self._split = arrival, split
        self.down = Flow(arrival.sock, NO_PIPES if arrival.shared else split.pipes)
        self._up = self._base = 0  # bytes up; what the current backend had sent when we got it
        self.over = False
        self.replica = ""
        """Who served the last request."""
        self.idle_since = 0.0
        self.woken = False
        """It has rested before."""
        self._busy = True  # from a request's head until all of its answer is out
        self._backend: Backend | None = None
        self._connecting: Connecting | None = None
        self._buffer = b""  # read, and not part of the current request
        self._asked = b""  # what was read of the current request before it was sent, where replicas can be full
        self._upload: Upload | None = None  # the rest of the current request, as long as some of it is to come
        self._eof = False  # the client sends nothing more
        self._ending = ""  # how the connection ends after this answer, if it does

    @property
    def arrival(self) -> Arrival:
        """The connection; its head is that of the request under way."""
        return self._arrival

    @property
    def idle(self) -> bool:
        """Whether it waits for a request."""
        return not self._busy

    @property
    def may_rest(self) -> bool:
        """Whether it waits for a request, has nothing in hand, and a record can hold it."""
        in_hand = self._busy or self._buffer or self._eof or self._ending or self.down.held
        return not in_hand and self.wanted == READ and can_rest(self._arrival)

    @property
    def up(self) -> int:
        """Bytes that have gone to servers, as far as exchanges are over."""
        return self._up

    @property
    def _phase(self) -> Phase:
        if not self._busy:
            return REQUEST
        if self._connecting is not None:
            return CONNECT
        if self._backend is None:
            return LAST
        return DATA if self._backend.responding else RESPONSE

    @property
    def is_connecting(self) -> bool:
        """Whether a connection to the server is being made."""
        return self._connecting is not None

    @property
    def moved(self) -> int:
        """Bytes that have gone through, both ways."""
        backend = self._backend
        return self._up + self.down.moved + (0 if backend is None else backend.up.moved - self._base)

    @property
    def awaits_answer(self) -> bool:
        """Whether it is the server's turn: it has the whole request."""
        backend = self._backend
        return backend is not None and not backend.responding and self._upload is None and not backend.up.held

    # -- the ways out

    def stall(self) -> None:
        """Nothing has moved for too long."""
        backend = self._backend
        if self.awaits_answer:
            self.refuse(NO_ANSWER)
        elif self.down.held or (self._upload is not None and not (backend is not None and backend.up.held)):
            self.abort(CLIENT_TIME)
        else:
            self.abort(SERVER_TIME)

    def _finish(self) -> None:
        """The last answer is out. What the client may still be sending is read away first: unread, it would make a reset."""
        how = self._ending or NORMAL
        if self._eof or (self.request.last and self._upload is None and not self._buffer):
            self.end(how)
            return
        self._detach()
        self._split.ended(self, self._arrival, how, self._up, self.down.moved)
        self._split.linger.answer(self._arrival, SILENT)

    def _wait(self, untried: Collection[Replica]) -> None:
        """The request has not gone out, and `untried` may take it when they have room."""
        self._detach()
        self._split.wait(self, self._arrival, untried, self._asked + self._buffer, self._up, self.down.moved)

    def _hand_back(self, unread: bytes) -> None:
        self._detach()
        self._split.hand_back(self, self._arrival, unread, self._up, self.down.moved)

    def refuse(self, answer: Answer) -> None:
        """The router answers in place of the service, and closes."""
        if self.down.held:  # an interim response that the client does not take
            self.end(answer.ended)
            return
        self._detach()
        self._split.refuse(self, self._arrival, answer)

    def abort(self, by: Who) -> None:
        """Break the connection off, whatever is under way; `by` is who wants it so."""
        self.end(by + self._phase, reset=True)

    def end(self, how: str, reset: bool = False) -> None:
        """Close the connection; `how` is told by `core.termination`."""
        if self.over:
            return
        self._detach()
        if reset:
            with contextlib.suppress(OSError):
                self._arrival.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self._arrival.close()
        self._split.ended(self, self._arrival, how, self._up, self.down.moved)

    def break_off(self, how: str, reset: bool) -> None:
        """A response that stays incomplete must look so to the client: what there is of it goes out, and then the end."""
        assert self._backend is not None
        self._release(self._backend, False)
        if reset or not self.down.held:
            self.end(how, reset)
        else:
            self._ending, self._eof = how, True

    def switch(self, backend: Backend, reply: bytes) -> None:
        """The server speaks another protocol from now on: join the two, and leave."""
        if self._upload is not None or backend.up.held or self.down.held:
            self.abort(ROUTER)
            return
        self._backend = None
        self._up += backend.up.moved - self._base
        backend.detach()
        self._detach()
        self._split.tunnel(self, self._arrival, backend, self._buffer, reply, self._up, self.down.moved)

    # -- letting go

    def _release(self, backend: Backend, reusable: bool, again: bool = False) -> None:
        self._up += backend.up.moved - self._base
        self._backend = None
        self._split.release(backend, reusable, again)

    def lay_down(self) -> None:
        """Be forgotten, with the socket still watched."""
        self.over = True
        self.down.close()

    def _detach(self) -> None:
        """Let go of the client's socket, and of what is under way for it."""
        self.over = True
        self.unwatch()
        if self._connecting is not None:
            self._connecting.cancel()
            self._connecting = None
        if self._backend is not None:
            self._release(self._backend, False)
        self.down.close()
