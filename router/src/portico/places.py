"""The connections of clients that this router holds: how many in all, and how many of each client.

Held is a connection whose client's socket is open in this process: undecided, in a queue, offered to a replica that has not
taken it, at the end of a TLS session, a tunnel or a tcp exchange, with a service in this process, being answered. One that a
replica has taken has left, and one that is handed back comes in again. The plain side of a TLS session is not a client's
socket, and counts nothing.

The count hangs on the socket itself: it comes down when the descriptor is closed or given away, whoever does it. So there is
no way out of the router on which it could be forgotten.
"""

import os
import resource
import socket
from _socket import socket as RawSocket
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING

from .core.hashkey import by_client

if TYPE_CHECKING:
    from .arrival import Arrival

__all__ = ["ClientSocket", "Places", "TwistedClientSocket", "uncounted"]

SHARE = 4
"""No more than one of so many descriptors is reserved, however low the process' limit is."""


class Places:
    """Counts, compares with the limits, and tells those who wait for room."""

    def __init__(self, most: int, each: int | None, reserved: int) -> None:
        """See `follow`."""
        self.held = 0
        """Connections in all."""
        self.pauses: Counter[str] = Counter()
        """How often accepting has paused, by reason."""
        self._clients: dict[bytes, int] = {}
        self._waiting: list[Callable[[], None]] = []
        self.follow(most, each, reserved)

    def follow(self, most: int, each: int | None, reserved: int) -> None:
        """The limits from now on; nothing that is held is cut.

        Args:
            most: connections in all.
            each: connections of each client; None: any number.
            reserved: descriptors that new connections may not use.
        """
        self.most, self._each = most, each
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        self.ceiling = _NO_LIMIT if soft == resource.RLIM_INFINITY else soft - min(reserved, soft // SHARE)
        """The kernel gives the lowest free descriptor: from this one on, few are left."""
        self._tell()

    def lift(self) -> None:
        """From now on everything may come in, as far as descriptors go: the ports are about to be closed."""
        self.most = self.ceiling = _NO_LIMIT
        self._tell()

    # -- connections

    def hold(self, descriptor: int, family: int = socket.AF_INET) -> "ClientSocket":
        """The socket of a new connection, which counts from now on."""
        sock = ClientSocket(family, socket.SOCK_STREAM, 0, descriptor)
        sock.places, sock.who = self, None
        self.held += 1
        return sock

    def admit(self, arrival: "Arrival") -> bool:
        """Count it as its client's; False if that has as many as it may have."""
        who = _who(arrival.client[0])
        count = self._clients.get(who, 0)
        if self._each is not None and count >= self._each:
            return False
        self._count(arrival, who, count)
        return True

    def pick_up(self, descriptor: int, host: str | None) -> "ClientSocket":
        """The socket that was laid down, which has counted all the time: for the client at `host`, if any."""
        sock = ClientSocket(socket.AF_INET, socket.SOCK_STREAM, 0, descriptor)
        sock.places, sock.who = self, None if host is None else _who(host)
        return sock

    def take_back(self, arrival: "Arrival") -> None:
        """It was handed back: it counts, and is let in whatever the limits say, as it is nothing new."""
        sock = arrival.sock
        if isinstance(sock, ClientSocket) and sock.places is None and arrival.tls_facts is None:
            sock.places = self  # others have never left, or are no client's
            self.held += 1
            who = _who(arrival.client[0])
            self._count(arrival, who, self._clients.get(who, 0))

    def _count(self, arrival: "Arrival", who: bytes, count: int) -> None:
        sock = arrival.sock
        assert isinstance(sock, ClientSocket)
        self._clients[who] = count + 1
        sock.who = who

    def of(self, host: str) -> int:
        """Connections of the client at `host`."""
        return self._clients.get(_who(host), 0)

    def left(self, who: bytes | None) -> None:
        """One has gone; for the sockets."""
        self.held -= 1
        if who is not None:
            count = self._clients[who] - 1
            if count:
                self._clients[who] = count
            else:
                del self._clients[who]
        if self._waiting:
            self._tell()

    # -- room

    def why_not(self, descriptor: int) -> str:
        """Why no more may be accepted now, after one with this descriptor; empty if they may."""
        return "descriptors" if descriptor >= self.ceiling else "connections" if self.held >= self.most else ""

    def why_not_now(self, descriptor: int) -> str:
        """The same without a new connection; `descriptor` is any open one."""
        try:
            lowest = os.dup(descriptor)
        except OSError:
            return "descriptors"
        os.close(lowest)
        return self.why_not(lowest)

    def when_room(self, call: Callable[[], None]) -> None:
        """Call, once, as soon as there are fewer connections than there may be. It must not accept within the call."""
        self._waiting.append(call)

    def _tell(self) -> None:
        if self.held < self.most:
            waiting, self._waiting = self._waiting, []
            for call in waiting:
                call()


_NO_LIMIT = 1 << 62


@lru_cache(maxsize=1_024)  # a crowd from everywhere leaves so many behind
def _who(host: str) -> bytes:
    """What counts as one client: an IPv4 address, or the /64 of an IPv6 address."""
    return by_client((host, 0))


def uncounted(descriptor: int) -> "ClientSocket":
    """The socket of a connection that comes back, and is counted (`Places.take_back`) once it is known whose it is.

    Made once: each object made of a descriptor costs a getsockname(2).

    Raises:
        OSError: it is no socket.
    """
    sock = ClientSocket(socket.AF_INET, socket.SOCK_STREAM, 0, descriptor)
    sock.places = sock.who = None
    return sock


class ClientSocket(RawSocket):
    """A client's socket, counted for as long as its descriptor is here."""

    __slots__ = ("places", "who")

    places: Places | None
    """Where it counts."""
    who: bytes | None
    """The client that it counts for, once that is known."""

    def close(self) -> None:
        places = self.places
        if places is not None:
            self.places = None
            places.left(self.who)
        RawSocket.close(self)

    def __del__(self) -> None:
        if self.fileno() >= 0:  # something has failed that had it: the descriptor would go, and its place stay taken
            self.close()

    def detach(self) -> int:
        places = self.places
        if places is not None:
            self.places = None
            places.left(self.who)
        return RawSocket.detach(self)

    def lay_down(self) -> int:
        """Its descriptor, which goes on counting without this object until it is picked up (`Places.pick_up`)."""
        self.places = None
        return RawSocket.detach(self)

    def for_twisted(self) -> socket.socket:
        """The same connection as Twisted wants it; it goes on counting. This one is closed after that."""
        places, self.places = self.places, None
        return TwistedClientSocket(RawSocket.detach(self), places, self.who)


class TwistedClientSocket(socket.socket):
    """The same for the transports of services in this process."""

    __slots__ = ("_places", "_who")

    def __init__(self, descriptor: int, places: Places | None, who: bytes | None) -> None:
        super().__init__(fileno=descriptor)
        self._places, self._who = places, who

    def close(self) -> None:
        self._leave()
        super().close()

    def detach(self) -> int:
        self._leave()
        return super().detach()

    def _leave(self) -> None:
        places, self._places = self._places, None
        if places is not None:
            places.left(self._who)
