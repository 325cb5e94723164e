"""One active check of one address: does it accept, and does it answer well?

A connection of its own, one request, the head of the response, and the end. A check without a path is over as soon as the
address accepts.
"""

import errno
import os
import socket
from collections.abc import Callable, Collection
from typing import NamedTuple

from svckit.reactors import Reactor
from twisted.internet.interfaces import IDelayedCall

from ..arrival import Address, RawSocket
from ..core.answers import Answer
from ..core.response import ResponseReader
from ..poller import READ, WRITE, Poller

__all__ = ["Asked", "Outcome", "Probe"]

PIECE = 16_384
"""Bytes read at one go."""

_OURS = (errno.EADDRNOTAVAIL, errno.EAGAIN, errno.ENOBUFS)
"""Errors of connect(2) that say nothing of the server."""
_KIND = socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
_DONTWAIT = int(socket.MSG_DONTWAIT)
_SEND_FLAGS = int(socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)


class Asked(NamedTuple):
    """What a check says, and expects."""

    first: bytes
    """Sent at once, perhaps nothing: the PROXY header and the request."""
    well: Collection[int] | None
    """Statuses that are well; None: no response is waited for."""


class Outcome(NamedTuple):
    """How a check ended."""

    passed: bool | None
    """None: it says nothing of the address, as we could not ask."""
    why: str


class Probe:
    """A check under way; `ended` is called once, and never before the constructor has returned."""

    def __init__(
        self,
        at: Address,
        asked: Asked,
        timeout: float,
        poller: Poller,
        reactor: Reactor,
        ended: Callable[[Outcome], None],
    ) -> None:
        """`timeout` is for all of it, in seconds."""
        self._asked, self._poller, self._ended = asked, poller, ended
        self._buffer, self._reader = b"", ResponseReader()
        self._sock: RawSocket | None = None
        self._events = WRITE
        outcome = self._open(at)
        if outcome is None:
            self._timer: IDelayedCall = reactor.callLater(timeout, self._end, Outcome(False, "no answer in time"))
        else:
            self._timer = reactor.callLater(0, self._end, outcome)

    def cancel(self) -> None:
        """Nobody wants to know any more."""
        self._close()

    def _open(self, at: Address) -> Outcome | None:
        """Begin to connect; the outcome if it is known at once."""
        try:
            sock = RawSocket(socket.AF_INET6 if ":" in at[0] else socket.AF_INET, _KIND, 0)
        except OSError as error:  # no descriptors
            return Outcome(None, error.strerror or str(error))
        code = sock.connect_ex(at)
        if code not in (0, errno.EINPROGRESS):
            sock.close()
            return Outcome(None if code in _OURS else False, os.strerror(code))
        self._sock = sock
        self._poller.add(sock.fileno(), WRITE, self._on_events)
        return None

    def _on_events(self, events: int) -> None:
        assert self._sock is not None
        try:
            if self._events == WRITE:
                self._connected(self._sock)
            else:
                self._read(self._sock)
        except (BlockingIOError, InterruptedError):
            pass
        except OSError as error:
            self._end(Outcome(False, error.strerror or str(error)))

    def _connected(self, sock: RawSocket) -> None:
        code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            self._end(Outcome(False, os.strerror(code)))
            return
        if self._asked.first:
            sock.send(self._asked.first, _SEND_FLAGS)  # into an empty buffer, which always has room for it
        if self._asked.well is None:
            self._end(Outcome(True, "it accepts"))
            return
        self._poller.change(sock.fileno(), WRITE, READ)
        self._events = READ

    def _read(self, sock: RawSocket) -> None:
        piece = sock.recv(PIECE, _DONTWAIT)
        if not piece:
            self._end(Outcome(False, "no response"))
            return
        self._buffer += piece
        while self._buffer:
            head = self._reader.read(self._buffer)
            if head is None:
                return
            if isinstance(head, Answer):
                self._end(Outcome(False, "malformed response"))
                return
            if head.status >= 200 or head.status == 101:
                assert self._asked.well is not None
                self._end(Outcome(head.status in self._asked.well, f"status {head.status}"))
                return
            self._buffer, self._reader = self._buffer[head.end :], ResponseReader()

    def _end(self, outcome: Outcome) -> None:
        self._close()
        self._ended(outcome)

    def _close(self) -> None:
        if self._timer.active():
            self._timer.cancel()
        if self._sock is not None:
            self._poller.remove(self._sock.fileno())
            self._sock.close()
            self._sock = None
