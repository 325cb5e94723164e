"""How a client's request goes up: it waits while a connection is being made, and its body follows as the server takes it."""

from ..core.answers import BAD_FRAMING, NO_RESOURCE, Answer
from ..core.termination import CLIENT, DATA, NORMAL, ROUTER
from ..poller import READ
from .backend import Backend
from .connect import Connecting
from .leaving import Leaving
from .upload import ENDED, Upload

__all__ = ["PIPELINED", "Sending"]

PIPELINED = 65_536
"""Bytes of further requests that are read while one is being answered."""


class Sending(Leaving):
    """The part of a session that sends."""

    __slots__ = ()

    # -- what the split tells

    def connecting(self, connecting: Connecting) -> None:
        """A connection is being made; the body waits for it."""
        self._connecting = connecting
        if self._upload is not None:
            self.want(self.wanted & ~READ)

    def unconnected(self, answer: Answer) -> None:
        """No replica accepted; those that are full were not asked."""
        connecting, self._connecting = self._connecting, None
        assert connecting is not None
        untried = self._split.untried(connecting)
        if untried and answer is not NO_RESOURCE and not self.down.held:
            self._wait(untried)
        else:
            self.refuse(answer)

    # -- the body

    def _send_body(self, upload: Upload) -> None:
        backend = self._backend
        if backend is None:
            return
        moved = upload.move(self._arrival.sock, backend.up)
        if moved == ENDED:
            self.end(CLIENT + self._phase)
            return
        if moved < 0:
            self._refuse_body(backend)
            return
        if upload.body.complete:
            self._upload, self._buffer = None, upload.excess
        if backend.up.held:
            self.want(self.wanted & ~READ)
            backend.wait_for_server()

    def _refuse_body(self, backend: Backend) -> None:
        if backend.responding:
            self.end(ROUTER + DATA)
        else:
            self.refuse(BAD_FRAMING)

    def _want_more(self) -> None:
        if not self.wanted & READ and not self._eof and len(self._buffer) < PIPELINED:
            self.want(self.wanted | READ)

    # -- what the backend tells

    def resume_upload(self) -> None:
        """The server has taken all it was sent."""
        self._want_more()

    def upload_failed(self) -> None:
        """The server takes nothing more. What it has said may still come; the rest of the request has no use."""
        assert self._backend is not None
        self._ending = NORMAL
        if self._upload is not None:
            self.want(self.wanted & ~READ)
        self._backend.takes_no_more()
