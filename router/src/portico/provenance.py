"""Whether a connection that a service hands back is one that it was given, and what is true of it.

The router forgets a connection when a replica has taken it, and a replica may be in a stranger's hands. So nothing that it says
of a connection is believed that can be known otherwise:

- The descriptor is a connected TCP socket of the network that the router's listeners are in, or the plain end of a TLS
  connection. Services have no network there, so they cannot make one.
- Client and listener are asked of the kernel.
- What the kernel does not know (a client that a PROXY header has named, and all that belongs to TLS) goes to the replica with a
  seal: a keyed hash of these facts and of the socket's cookie, a number that no other socket has until the next boot. It comes
  back with the connection, and without it the facts are not believed. Only these connections pay for it.
- What of a connection never changes (that it is a TCP socket of that network, and its own address) is asked when it comes back
  for the first time, and known by the socket's cookie from then on. The client is asked for each time: whoever has a descriptor
  can break a connection off and make another one of the same socket. With another client everything is asked for anew.
- While one is in the router's hands, a second descriptor of the same socket is not taken. Later it may come again, as it does
  when the next replica hands it back; whether it comes from somebody who had it before cannot be told.

Routers that follow each other, or stand side by side, know each other's where they borrow their ports from the same keeper, or
have the same PORTICO_SEAL_KEY; else the key is the process's own.
"""

import errno
import hashlib
import hmac
import os
import socket
import weakref
from _socket import socket as RawSocket
from collections.abc import Callable, Mapping

from svckit.handoff.codec import Connection, encode

from .arrival import Address, Arrival, HandedBack
from .core.answers import LEFT, STRANGE, STRANGE_AND_SILENT, TWICE
from .doubts import Doubts, Foreign
from .listener import plain
from .places import ClientSocket, uncounted

__all__ = ["HANDED_BACK_BYTES", "SEAL_SIZE", "Foreign", "Provenance", "key_from"]

HANDED_BACK_BYTES = 32 << 20
"""Unread bytes, of all connections that one service has handed back and that are in the router's hands; in all."""
SEAL_SIZE = 16
"""Bytes."""
KNOWN = 4_096
"""Sockets of one service's that are known again by their cookies; of more than so many each is asked about anew."""

_SOL_SOCKET, _DOMAIN, _TYPE = int(socket.SOL_SOCKET), int(socket.SO_DOMAIN), int(socket.SO_TYPE)
_SO_COOKIE, _SO_NETNS_COOKIE = 57, 71  # which Python has no names for
_STREAM = int(socket.SOCK_STREAM)
_FAMILIES = (int(socket.AF_INET), int(socket.AF_INET6), int(socket.AF_UNIX))


def key_from(environment: Mapping[str, str] = os.environ) -> bytes:
    """The key of the seals, 32 bytes."""
    given = environment.get("PORTICO_SEAL_KEY")
    return hashlib.blake2b(given.encode(), digest_size=32).digest() if given else os.urandom(32)


_key = key_from()


def agree_on(seed: bytes) -> None:
    """From now on what is made here has a key that all routers with this seed have, unless the environment gives another."""
    global _key
    _key = key_from() if os.environ.get("PORTICO_SEAL_KEY") else hashlib.blake2b(seed, digest_size=32, person=b"seal").digest()


class Provenance:
    """Knows one service's connections again."""

    def __init__(self, service: str, key: bytes = b"") -> None:
        """`key` is for tests; see `agree_on`."""
        self._service, self._doubts = service.encode(), Doubts(service)
        self._mac = hashlib.blake2b(key=key or _key, digest_size=SEAL_SIZE)
        self._networks: set[bytes] = set()
        ours = RawSocket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.learn_network(ours)
        ours.close()
        self._known: dict[bytes, tuple[Address, Address]] = {}  # client and listener of each, by the cookie
        self._held: dict[bytes, _Held] = {}
        self._bytes = 0

    # -- before it is given

    def learn_network(self, sock: RawSocket) -> None:
        """Sockets of this one's network may come back."""
        network = _network_of(sock)
        if network is not None:
            self._networks.add(network)

    def seal(self, arrival: Arrival) -> bytes:
        """What makes the facts about it believed when it comes back; empty where the kernel tells them."""
        if arrival.tls_facts is None and not arrival.named:
            return b""
        facts = Connection(0, arrival.client, arrival.listener, b"", arrival.tls)
        return self._seal(arrival.sock.getsockopt(_SOL_SOCKET, _SO_COOKIE, 8), facts)

    def _seal(self, cookie: bytes, facts: Connection) -> bytes:
        mac = self._mac.copy()
        mac.update(cookie + encode(facts) + self._service)
        return mac.digest()

    # -- when it comes back

    def recognise(self, message: Connection, descriptor: int, now: float) -> HandedBack:
        """The connection, with what is true of it; `descriptor` is the arrival's then. With a `doubt` it must not be routed.

        Raises:
            Foreign: the descriptor is none that a router gives, or too much is doubted already; it is still the caller's.
        """
        try:
            sock = uncounted(descriptor)
        except OSError:
            raise Foreign("what it hands back is no socket") from None
        try:
            cookie = sock.getsockopt(_SOL_SOCKET, _SO_COOKIE, 8)
        except OSError as error:
            sock.detach()
            raise Foreign(f"what it hands back is no connection ({error.strerror})") from None
        known = None if message.seal else self._known.get(cookie)
        if known is None:
            return self._look(message, sock, cookie, now)
        client, listener = known
        try:
            if plain(sock.getpeername()) != client:
                return self._look(message, sock, cookie, now)
        except OSError:
            return _left(HandedBack(sock, message.client, listener, now, message.unread))
        return self._held_here(cookie, HandedBack(sock, client, listener, now, message.unread))

    def _look(self, message: Connection, sock: ClientSocket, cookie: bytes, now: float) -> HandedBack:
        """Ask all that is to be asked about it."""
        try:
            family = sock.getsockopt(_SOL_SOCKET, _DOMAIN)
            is_stream = sock.getsockopt(_SOL_SOCKET, _TYPE) == _STREAM
            network = _network_of(sock)
        except OSError as error:
            sock.detach()
            raise Foreign(f"what it hands back is no connection ({error.strerror})") from None
        if family not in _FAMILIES or not is_stream:
            sock.detach()
            raise Foreign(f"what it hands back is no stream connection (family {family})")
        arrival = HandedBack(sock, message.client, message.listener, now, message.unread)
        if message.seal:
            if not hmac.compare_digest(message.seal, self._seal(cookie, message._replace(number=0, unread=b"", seal=b""))):
                return self._doubted(arrival, "its seal does not fit")
            arrival.named = True
            arrival.learn_tls(message.tls)
        elif family == _FAMILIES[2]:
            return self._doubted(arrival, "it is a local socket without a seal")
        elif network is not None and network not in self._networks:
            return self._doubted(arrival, "it is of another network")
        if family != _FAMILIES[2] and not _ask_kernel(arrival):
            return _left(arrival)
        if not message.seal and network is not None:
            if len(self._known) >= KNOWN:
                self._known.clear()
            self._known[cookie] = arrival.client, arrival.listener
        return self._held_here(cookie, arrival)

    def _held_here(self, cookie: bytes, arrival: HandedBack) -> HandedBack:
        known = self._held.get(cookie)
        other = None if known is None else known()
        if other is not None and other.sock.fileno() >= 0:
            self._doubted(arrival, "it is here already")
            arrival.doubt = TWICE  # nothing is said on it: it is the other's
            return arrival
        if self._bytes + len(arrival.preface) > HANDED_BACK_BYTES:
            return self._doubted(arrival, "more comes with all that is handed back than may")
        self._bytes += len(arrival.preface)
        self._held[cookie] = _held(arrival, self._gone, cookie, len(arrival.preface))
        return arrival

    def _doubted(self, arrival: HandedBack, why: str) -> HandedBack:
        try:
            self._doubts.add(why, arrival.since)
        except Foreign:
            arrival.sock.detach()
            raise
        arrival.doubt = STRANGE if arrival.preface else STRANGE_AND_SILENT
        return arrival

    def _gone(self, held: "weakref.ref[HandedBack]") -> None:
        assert isinstance(held, _Held)
        self._bytes -= held.size
        if self._held.get(held.cookie) is held:
            del self._held[held.cookie]


class _Held(weakref.ref[HandedBack]):
    """An arrival that is in the router's hands for as long as the object lives."""

    __slots__ = ("cookie", "size")

    cookie: bytes
    size: int


def _held(arrival: HandedBack, gone: "Gone", cookie: bytes, size: int) -> _Held:
    made = _Held(arrival, gone)
    made.cookie, made.size = cookie, size
    return made


Gone = Callable[["weakref.ref[HandedBack]"], None]


def _left(arrival: HandedBack) -> HandedBack:
    """Nobody is at its other end any more."""
    arrival.doubt = LEFT
    return arrival


def _ask_kernel(arrival: HandedBack) -> bool:
    """Who is at its ends, unless that is known better; False if nobody is there any more."""
    try:
        client, listener = plain(arrival.sock.getpeername()), plain(arrival.sock.getsockname())
    except OSError:
        return False
    if not arrival.named:
        arrival.client, arrival.listener = client, listener
    return True


def _network_of(sock: RawSocket) -> bytes | None:
    """The cookie of its network namespace; None where the kernel is older than 5.14."""
    try:
        return sock.getsockopt(_SOL_SOCKET, _SO_NETNS_COOKIE, 8)
    except OSError as error:
        if error.errno == errno.ENOPROTOOPT:
            return None
        raise
