"""A listening port: accept many at a time, read what is there, hand on.

TCP_DEFER_ACCEPT lets the kernel keep a connection until its first bytes have come, so at accept the whole head is nearly always
there: one accept, one receive, one decision. Connections without bytes are let through after a second.

When the process runs out of descriptors the listener rests for a moment instead of spinning on a connection that it cannot
accept; the kernel's queue holds what comes meanwhile.

The socket is the listener's own, or borrowed from a keeper: then others may accept from it too, and what is in its queue is
theirs when this listener stops.
"""

import errno
import os
import socket
from _socket import socket as RawSocket
from collections.abc import Callable

from svckit.reactors import Reactor
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from .arrival import Address, Arrival
from .keeper import DEFER_ACCEPT, listen
from .kept import Kept
from .poller import READ, Poller

__all__ = ["DEFER_ACCEPT", "Listener"]

ACCEPTS_AT_ONCE = 32
"""Connections accepted before others get their turn."""
REST = 0.1
"""Seconds without accepting when descriptors have run out."""

_DONTWAIT = int(socket.MSG_DONTWAIT)
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_V4_IN_V6 = "::ffff:"


class Listener:
    """One port."""

    log = Logger()

    def __init__(
        self,
        at: Address,
        head_size: int,
        poller: Poller,
        reactor: Reactor,
        admit: Callable[[Arrival], None],
        kept: Kept | None = None,
    ) -> None:
        """`head_size` bounds the first read, in bytes. `kept` lends the socket; without it the listener makes its own.

        Raises:
            OSError: the port cannot be had; the text names it.
        """
        self._poller, self._reactor, self._admit = poller, reactor, admit
        self._head_size = head_size
        self._kept, self._asked_for = kept, at
        self._sock = listen(at) if kept is None else kept.borrow(at)
        self.at: Address = self._sock.getsockname()[:2]
        self._resting: IDelayedCall | None = None

    def defer(self, seconds: int) -> None:
        """For how long the kernel may hold back a connection that sends nothing; 0: not at all."""
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, seconds)

    def start(self) -> None:
        """Accept from now on."""
        self._poller.add(self._sock.fileno(), READ, self._acceptable)

    def admit_to(self, admit: Callable[[Arrival], None]) -> None:
        """From now on connections go there."""
        self._admit = admit

    def stop(self) -> None:
        """Close the port: first accept what has already connected, for closing it would reset that.

        A borrowed one is given back; the next router, or another one, accepts what has connected.
        """
        if self._sock.fileno() < 0:
            return
        lent = self._kept is not None and not self._kept.is_gone
        if self._resting is not None:
            self._resting.cancel()
        else:
            self._poller.remove(self._sock.fileno())
            while not lent and self._accept_some():
                pass
        self._sock.close()
        if self._kept is not None and lent:
            self._kept.leave(self._asked_for)

    def _acceptable(self, events: int) -> None:
        self._accept_some()

    def _accept_some(self) -> bool:
        """Accept a batch; whether there may be more."""
        accept, admit, clock = self._sock._accept, self._admit, self._reactor.seconds  # type: ignore[attr-defined]
        for _ in range(ACCEPTS_AT_ONCE):
            try:
                descriptor, peer = accept()
            except (BlockingIOError, InterruptedError):
                return False
            except OSError as error:
                if error.errno in _EXHAUSTED:
                    self._rest(error)
                    return False
                continue  # that client is gone already
            sock = RawSocket(socket.AF_INET, socket.SOCK_STREAM, 0, descriptor)
            try:
                preface = sock.recv(self._head_size, _DONTWAIT)
            except (BlockingIOError, InterruptedError):
                preface = b""
            except OSError:
                sock.close()
                continue
            else:
                if not preface:
                    sock.close()  # came and went without a word
                    continue
            admit(Arrival(sock, _plain(peer), self.at, clock(), preface))
        return True

    def _rest(self, error: OSError) -> None:
        self.log.error("cannot accept, resting for {seconds} s: {why}", seconds=REST, why=os.strerror(error.errno or 0))
        self._poller.remove(self._sock.fileno())
        self._resting = self._reactor.callLater(REST, self._rested)

    def _rested(self) -> None:
        self._resting = None
        self.start()


def _plain(peer: tuple[str, int]) -> Address:
    """Host and port; an IPv4 client of a `[::]` listener has its IPv4 address."""
    host, port = peer[0], peer[1]
    return (host[len(_V4_IN_V6) :] if host.startswith(_V4_IN_V6) and "." in host else host), port
