"""Answer and close so that the answer arrives.

A socket closed with unread bytes in it sends RST, and RST makes the client's kernel throw away what it has not read yet: the
answer. So: send, end our side, read away what the client still sends until it ends its side, and close. Bounded in time and
bytes, as a client may go on sending for ever (RFC 9112 section 9.6).
"""

import socket

from svckit.reactors import Reactor

from .arrival import Arrival, RawSocket
from .core.answers import Answer
from .expiry import Expiring
from .poller import READ, Poller
from .reading import what_came

__all__ = ["Linger"]

LINGER_TIME = 2.0
"""Seconds that a client has to end its side after an answer."""
LINGER_BYTES = 1 << 20
"""Bytes that are read away at most."""
_PIECE = 65_536
_DONTWAIT = int(socket.MSG_DONTWAIT)
_SEND_FLAGS = int(socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)


class Linger:
    """Connections that have had their answer."""

    def __init__(self, poller: Poller, reactor: Reactor) -> None:
        self._poller, self._reactor = poller, reactor
        self._last: Expiring[_Last] = Expiring(reactor, _due, self._expired)

    def answer(self, arrival: Arrival, answer: Answer) -> None:
        """Send the answer, and close when the client has."""
        sock = arrival.sock
        try:
            sock.send(answer.wire, _SEND_FLAGS)
            sock.shutdown(socket.SHUT_WR)
        except OSError:  # the client is gone, or does not read: nothing more is owed
            arrival.close()
            return
        descriptor, due = sock.fileno(), self._reactor.seconds() + LINGER_TIME
        last = _Last(arrival if arrival.shared else sock, sock, due, self)
        self._last.put(descriptor, last)
        self._poller.add(descriptor, READ, last)

    def end(self, last: "_Last") -> None:
        """Close it."""
        descriptor = last.sock.fileno()
        self._last.discard(descriptor)
        self._poller.remove(descriptor)
        last.closes.close()

    def _expired(self, descriptor: int, last: "_Last") -> None:
        self.end(last)


class _Last:
    """One of them; called when something has come. There may be thousands, so it keeps of the arrival no more than it needs."""

    __slots__ = ("_left", "_linger", "closes", "due", "sock")

    def __init__(self, closes: Arrival | RawSocket, sock: RawSocket, due: float, linger: Linger) -> None:
        self.closes, self.sock, self.due, self._linger = closes, sock, due, linger
        self._left = LINGER_BYTES

    def __call__(self, events: int) -> None:
        piece = what_came(self.sock, _PIECE)
        if piece is None:
            return
        self._left -= len(piece)
        if not piece or self._left <= 0:
            self._linger.end(self)


def _due(last: _Last) -> float:
    return last.due
