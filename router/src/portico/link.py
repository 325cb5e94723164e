"""The router's end of one link to one replica: offers connections, keeps them until they are taken, takes them back.

The states of a link follow each other and never return: connecting (HELLO is awaited), ready, draining (the replica wants no
more), ended. At the end everything that the replica had not taken is still ours, untouched, and goes to another one. That is
exact, because a replica says TAKEN before it serves a byte, and what it said can be read before the end-of-file.

Its parts: `linkout` says things, `linkending` ends it, `linkhearing` hears the replica.
"""

from svckit.handoff import packets
from svckit.handoff.codec import encode_connection, encode_routes

from .arrival import Arrival
from .linkhearing import Hearing
from .linkout import BATCH, Owner

__all__ = ["BATCH", "Link", "Owner"]


class Link(Hearing):
    """One SOCK_SEQPACKET connection to a replica."""

    # -- what the balancing looks at

    @property
    def name(self) -> str:
        """Of the replica; every router knows it by that."""
        return self.replica

    @property
    def has_a_future(self) -> bool:
        """Whether it is willing, or will be."""
        return not (self.draining or self.ended or self.drained or self._revoked)

    @property
    def untaken(self) -> int:
        """Connections that were offered and not taken yet."""
        return len(self._custody)

    @property
    def overdue(self) -> float:
        """For how many seconds HELLO, or any TAKEN while there is something to take, has been waited for.

        A replica that takes one batch after the other is busy and not hung, however long its queue.
        """
        if self.connecting:
            return self._clock() - self.since
        oldest = self._custody.oldest
        return 0.0 if oldest is None else self._clock() - max(oldest.handed_at, self._progress)

    def status(self) -> dict[str, object]:
        """For `/status`."""
        return {"replica": self.replica, "state": self._state, "open": self.load, "capacity": self.capacity}

    @property
    def _state(self) -> str:
        if self.connecting:
            return "connecting"
        if self.draining or self.drained:
            return "draining" if self.draining else "drained"
        return "full" if self._blocked else "ready"

    # -- offering

    def offer(self, arrival: Arrival) -> bool:
        """Send the connection; False if it does not go out, and is untouched."""
        number = self._custody.next_number
        if number == 1 and not arrival.shared:
            self._provenance.learn_network(arrival.sock)
        if arrival.tls_facts is None and not arrival.named:
            packet = encode_connection(number, arrival.client, arrival.listener, arrival.preface, None)
        else:
            seal = self._provenance.seal(arrival)
            packet = encode_connection(number, arrival.client, arrival.listener, arrival.preface, arrival.tls, seal)
        try:
            packets.send(self._sock, packet, arrival.sock.fileno())
        except (BlockingIOError, InterruptedError):
            self._block()
            return False
        except OSError:
            # ETOOMANYREFS: too many descriptors are on their way everywhere; the target tries again in a moment. Any other:
            # the end of the link is on its way to us, and with it what the replica had still taken.
            return False
        arrival.handed_at = self._clock()
        self._custody.sent(arrival)
        self.load += 1
        return True

    def tell(self, patterns: tuple[tuple[str, bool], ...]) -> None:
        """The routes have changed."""
        self._patterns = patterns
        if not self.connecting and not self.ended:
            for packet in encode_routes(patterns):
                self._send(packet)
