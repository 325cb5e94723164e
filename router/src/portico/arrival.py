"""A connection while it is in the router's hands."""

import select
import socket
import struct
from _socket import socket as RawSocket
from typing import TYPE_CHECKING

from svckit.handoff.codec import Tls

from .core.answers import Answer
from .core.clienthello import TlsFacts
from .core.head import Head
from .core.onward import Onward
from .core.preface import Preface
from .places import ClientSocket

if TYPE_CHECKING:
    from .service import RoutedService

__all__ = ["Address", "Arrival", "HandedBack", "Offered", "RawSocket", "do_not_wait"]

Address = tuple[str, int]
"""Numeric host and port."""


class Arrival:
    """A socket, who is at its other end, and what was read of it: the preface.

    The socket is the C one: nothing of what `socket.socket` adds is needed, and one is made for each connection.
    """

    shared = False
    """Whether a replica has had it, which may hold a descriptor of it still."""

    __slots__ = (
        "client",
        "decided_at",
        "handed_at",
        "head",
        "listener",
        "named",
        "onward",
        "preface",
        "returned",
        "route",
        "service",
        "since",
        "sock",
        "tls_facts",
        "waits_until",
    )

    def __init__(
        self, sock: RawSocket, client: Address, listener: Address, since: float, preface: bytes = b"", returned: bool = False
    ) -> None:
        self.sock = sock
        self.client = client
        self.listener = listener
        self.since = since
        """When it came to the router, by the reactor's clock in seconds."""
        self.preface = preface
        self.returned = returned
        """A service has handed it back."""
        self.named = False
        """A PROXY header has named the client, whom the socket does not know."""
        self.onward: Onward | None = None
        """What a tcp service that it has just left remembers of its requests, for the next one. It does not block then."""
        self.head: Head | None = None
        self.service: RoutedService | None = None
        self.route = ""
        """Its route's name, once it is decided on."""
        self.decided_at = 0.0
        """When that was; by the reactor's clock."""
        self.handed_at = 0.0
        self.waits_until = 0.0
        """When its time in a service's queue is up, by the reactor's clock; 0 as long as it has not had to wait."""
        self.tls_facts: TlsFacts | None = None
        """What was agreed on, where TLS ended in this router; the socket is then the plain side."""

    @property
    def tls(self) -> Tls | None:
        """What a service is told of TLS."""
        facts = self.tls_facts
        if facts is None:
            return None
        return Tls((facts.sni or b"").decode("ascii", "replace"), (facts.alpn or (b"",))[0].decode("ascii", "replace"))

    def learn_tls(self, tls: Tls | None) -> None:
        """What a service says of TLS, and a seal shows to be what the router had told it."""
        if tls is not None:
            self.tls_facts = TlsFacts(tls.name.encode() or None, (tls.protocol.encode(),) if tls.protocol else ())

    def follow(self, before: "Arrival") -> None:
        """It is the connection that `before` was, whose request has been served in this router."""
        self.tls_facts, self.named, self.onward = before.tls_facts, before.named, before.onward

    def preface_read(self, preface: Preface) -> None:
        """The routes have decided: keep what they found in the preface."""
        self.preface = preface.data
        if isinstance(preface.head, Head):
            self.head = preface.head

    @property
    def is_broken_off(self) -> bool:
        """Whether its client has broken the connection off. One that only sends no more does not count."""
        look = select.poll()
        look.register(self.sock.fileno(), 0)
        return bool(look.poll(0))  # nothing is asked for, so what there is is an error or a hang-up

    def as_socket(self) -> socket.socket:
        """The socket for Twisted, which wants the Python one. The arrival has none after that."""
        sock = self.sock
        return sock.for_twisted() if isinstance(sock, ClientSocket) else socket.socket(fileno=sock.detach())

    def close(self) -> None:
        """Close our descriptor. Never shuts the connection down: it may be somebody else's by now."""
        self.sock.close()

    def let_go(self) -> None:
        """Close it when it is a replica's, which may have let go of it first."""
        do_not_wait(self.sock)
        self.sock.close()

    def was_out(self) -> None:
        """It was offered to a replica, and is ours again."""
        if not self.shared:
            self.__class__ = Offered


class Offered(Arrival):
    """One that a replica has had in its queue and not taken: it may have looked there. See `HandedBack`."""

    shared = True

    __slots__ = ()

    def close(self) -> None:
        self.let_go()


class HandedBack(Arrival):
    """One that came from a replica.

    Flags and options of a socket belong to the connection and not to the descriptor, and the replica may have kept one. So the
    kernel may wait although it was told not to: no call on it goes without MSG_DONTWAIT, and none by splice(2).
    """

    shared = True

    __slots__ = ("__weakref__", "_first", "doubt")

    def __init__(
        self, sock: RawSocket, client: Address, listener: Address, since: float, preface: bytes = b"", returned: bool = True
    ) -> None:
        Arrival.__init__(self, sock, client, listener, since, preface, returned)
        self.doubt: Answer | None = None
        """Why it must not be routed: what it is answered instead."""
        self._first: HandedBack | None = None

    def follow(self, before: Arrival) -> None:
        """The same; the one that came lives as long as this one, as a second descriptor of it would not be known else."""
        Arrival.follow(self, before)
        if isinstance(before, HandedBack):
            self._first = before._first or before

    def close(self) -> None:
        self.let_go()


def do_not_wait(sock: RawSocket) -> None:
    """Take back a SO_LINGER with which the last close(2) would wait for the client; one that means a reset stays."""
    try:
        # as a number it is only whether; as bytes also for how many seconds
        if sock.getsockopt(_SOL_SOCKET, _SO_LINGER) and sock.getsockopt(_SOL_SOCKET, _SO_LINGER, 8)[4:] != b"\0\0\0\0":
            sock.setsockopt(_SOL_SOCKET, _SO_LINGER, _AT_ONCE)
    except OSError:
        pass


_AT_ONCE = struct.pack("ii", 0, 0)
_SOL_SOCKET, _SO_LINGER = int(socket.SOL_SOCKET), int(socket.SO_LINGER)
