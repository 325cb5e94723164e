"""TLS ends here: the client speaks TLS to us, the service gets the plain bytes on a socket of its own.

The plain side is a socket pair. One end goes through the router like any accepted socket: its head is read, it is routed, it is
handed over, handed back, joined to a tcp server. The other end stays here, and a `TlsSession` moves bytes between it and
the client through the TLS machine of OpenSSL (`ssl.MemoryBIO`: bytes in, bytes out). So every target serves TLS clients without
knowing how, and the price of TLS (a copy through this process) is paid here only.
"""

from collections.abc import Callable

from svckit.reactors import Reactor

from .arrival import Arrival
from .certificates import Certificates
from .core.answers import CROWDED, Answer
from .poller import Poller
from .tlssession import TlsSession

__all__ = ["TlsSession", "TlsStage"]


class TlsStage:
    """Accepts TLS on connections of a listener, and lets the plain ones into the router."""

    def __init__(
        self,
        certificates: Certificates,
        handshake_time: float,
        most: int,
        poller: Poller,
        reactor: Reactor,
        admit: Callable[[Arrival], None],
        answer: Callable[[Arrival, Answer], None],
        sessions: set[TlsSession],
    ) -> None:
        """`handshake_time` in seconds, from the connection's start; `most` is how many `sessions` there may be at once.

        `answer` takes a connection that ends before it is let in. `sessions` may hold those of an earlier configuration.
        """
        self.certificates = certificates
        self.handshake_time, self._most = handshake_time, most
        self.poller, self.reactor = poller, reactor
        self.admit, self.answer = admit, answer
        self.sessions = sessions

    def accept(self, arrival: Arrival) -> None:
        """Begin the handshake."""
        if len(self.sessions) >= self._most:
            self.answer(arrival, CROWDED)
            return
        session = TlsSession(arrival, self)
        self.sessions.add(session)
        session.begin()
