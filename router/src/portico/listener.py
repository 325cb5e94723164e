"""A listening port: accept many at a time, read what is there, hand on.

TCP_DEFER_ACCEPT lets the kernel keep a connection until its first bytes have come, so at accept the whole head is nearly always
there: one accept, one receive, one decision. Connections without bytes are let through after a second.

While there are as many connections as there may be, or few descriptors are free, the listener rests, and the kernel's queue
holds what comes meanwhile. Descriptors are kept free for what must go on all the same: links, servers, the operators' port,
logs. Should they be used up nevertheless, it rests instead of spinning on a connection that it cannot accept.

The socket is the listener's own, or borrowed from a keeper: then others may accept from it too, and what is in its queue is
theirs when this listener stops.
"""

import errno
import os
import socket
from collections.abc import Callable

from svckit.reactors import Reactor
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from .arrival import Address, Arrival
from .keeper import DEFER_ACCEPT, listen
from .kept import Lender
from .places import Places
from .poller import READ, Poller
from .probes import probe

__all__ = ["DEFER_ACCEPT", "Listener", "plain"]

ACCEPTS_AT_ONCE = 32
"""Connections accepted before others get their turn."""
REST = 0.1
"""Seconds between two looks at whether there is room again; for connections it is heard of at once."""
QUIET = 10.0
"""Seconds in which the log says only once that accepting has paused."""

_ANY = 1 << 62

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
        kept: Lender | None = None,
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
        self._places = Places(_ANY, None, 1)
        self._quiet_until = 0.0

    def defer(self, seconds: int) -> None:
        """For how long the kernel may hold back a connection that sends nothing; 0: not at all."""
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, seconds)

    def probe(self, after: int) -> None:
        """Clients that have been silent for so many seconds are asked whether they are still there."""
        probe(self._sock, after)

    def count_in(self, places: Places) -> None:
        """Connections count there, and pause when it says so."""
        self._places = places

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
        if self._resting is None:
            self._poller.remove(self._sock.fileno())
            while not lent and self._accept_some():
                pass
        if self._resting is not None:  # also where accepting the rest has come to a limit
            self._resting.cancel()
        self._sock.close()
        if self._kept is not None and lent:
            self._kept.leave(self._asked_for)

    def _acceptable(self, events: int) -> None:
        self._accept_some()

    def _accept_some(self) -> bool:
        """Accept a batch; whether there may be more."""
        accept, admit, clock = self._sock._accept, self._admit, self._reactor.seconds  # type: ignore[attr-defined]
        places = self._places
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
            sock = places.hold(descriptor)
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
            admit(Arrival(sock, plain(peer), self.at, clock(), preface))
            if descriptor >= places.ceiling or places.held >= places.most:
                self._pause(places.why_not(descriptor))
                return False
        return True

    def _pause(self, why: str) -> None:
        """Wait for room; `why`: of what there is too little."""
        self._places.pauses[why] += 1
        now = self._reactor.seconds()
        if now >= self._quiet_until:
            self._quiet_until = now + QUIET
            self.log.warn("accepting pauses at port {port}: no more {why} to be had for now", port=self.at[1], why=why)
        self._poller.remove(self._sock.fileno())
        self._resting = self._reactor.callLater(REST, self._rested)
        if why == "connections":
            self._places.when_room(self._room)

    def _room(self) -> None:
        if self._resting is not None and self._resting.active():
            self._resting.cancel()
            self._rested()

    def _rest(self, error: OSError) -> None:
        self.log.error("cannot accept, resting for {seconds} s: {why}", seconds=REST, why=os.strerror(error.errno or 0))
        self._poller.remove(self._sock.fileno())
        self._resting = self._reactor.callLater(REST, self._rested)

    def _rested(self) -> None:
        self._resting = None
        if self._places.why_not_now(self._sock.fileno()):
            self._resting = self._reactor.callLater(REST, self._rested)
        else:
            self.start()


def plain(peer: tuple[str, int]) -> Address:
    """Host and port; an IPv4 client of a `[::]` listener has its IPv4 address."""
    host, port = peer[0], peer[1]
    return (host[len(_V4_IN_V6) :] if host.startswith(_V4_IN_V6) and "." in host else host), port
