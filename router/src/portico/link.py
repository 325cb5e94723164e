"""The router's end of one link to one replica: offers connections, keeps them until they are taken, takes them back.

The states of a link follow each other and never return: connecting (HELLO is awaited), ready, draining (the replica wants no
more), ended. At the end everything that the replica had not taken is still ours, untouched, and goes to another one. That is
exact, because a replica says TAKEN before it serves a byte, and what it said can be read before the end-of-file.

A replica may be in a stranger's hands. It can say nothing before it has said who it is, nothing out of turn, and not more at a
time than others get; what it hands back is looked at by `portico.provenance`. `docs/security.md` lists what it could try.
"""

import contextlib
import socket
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from svckit.handoff import packets
from svckit.handoff.cell import Cell
from svckit.handoff.codec import (
    VERSION,
    Connection,
    Draining,
    Farewell,
    Hello,
    Load,
    Malformed,
    Message,
    Taken,
    Welcome,
    decode,
    encode,
    encode_connection,
    encode_routes,
)
from svckit.handoff.custody import Custody
from svckit.handoff.strangers import discard
from twisted.logger import Logger

from .arrival import Arrival, HandedBack
from .poller import READ, WRITE, Poller
from .provenance import Foreign, Provenance

__all__ = ["Link", "Owner"]

BATCH = 64
"""Packets read at one go."""


class Owner(Protocol):
    """Whom a link tells what happens on it; the handoff target."""

    def ready(self, link: "Link") -> None:
        """The replica can be offered connections, for the first time or again."""

    def taken(self, link: "Link", arrival: Arrival) -> None:
        """The connection is the replica's."""

    def returned(self, link: "Link", arrivals: list[HandedBack]) -> None:
        """Connections that the replica handed back."""

    def ended(self, link: "Link", reclaimed: list[Arrival]) -> None:
        """The replica is gone; these it never took."""


class Link:
    """One SOCK_SEQPACKET connection to a replica."""

    log = Logger()

    def __init__(
        self,
        sock: socket.socket,
        path: str,
        service: str,
        patterns: tuple[tuple[str, bool], ...],
        owner: Owner,
        poller: Poller,
        clock: Callable[[], float],
        provenance: Provenance | None = None,
    ) -> None:
        """`clock` gives seconds; `patterns` is what the replica is told of the routes; `provenance` is the service's."""
        packets.widen(sock)
        self._sock, self._owner, self._poller, self._clock = sock, owner, poller, clock
        self.path, self._service, self._patterns = path, service, patterns
        self.replica = path
        self.since = clock()
        self.connecting, self.draining, self.ended = True, False, False
        self.drained = False
        """An operator wants no new connections to go there."""
        self.capacity = 0
        self.load = 0
        """Connections that the replica has, or has on their way. No property: balancing asks each link for each connection."""
        self._progress = 0.0  # when TAKEN was last said
        self._custody: Custody[Arrival] = Custody()
        self._unsent: deque[bytes] = deque()
        self._blocked = self._revoked = self._leaving = False
        self._lost = False  # a hand-back could not be received: it stays the replica's, and so do all after it
        self._came: list[HandedBack] = []
        self._heard = 0  # the number of the last hand-back
        self._watched = READ
        self._provenance = provenance or Provenance(service)
        self.breached = False
        """The replica has broken the protocol."""
        self.leftover: socket.socket | None = None
        """At the end: the link's socket, where something that was sent to the replica may still lie in it."""
        self._cell = Cell()
        poller.add(sock.fileno(), READ, self._on_events)

    # -- what the balancing looks at

    @property
    def name(self) -> str:
        """Of the replica; every router knows it by that."""
        return self.replica

    @property
    def willing(self) -> bool:
        """Whether a connection may be offered now."""
        return not (self.draining or self.ended or self.drained or self._revoked or self.connecting or self._blocked)

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
        seal = b"" if arrival.tls_facts is None and not arrival.named else self._provenance.seal(arrival)
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

    def _block(self) -> None:
        if not self._blocked:
            self._blocked = True
            self._watch()

    def _watch(self) -> None:
        """With a batch of hand-backs for which TAKEN cannot be said, nothing more is heard until it can."""
        wanted = (WRITE if self._blocked else 0) | (0 if self._blocked and len(self._came) >= BATCH else READ)
        if wanted != self._watched:
            self._poller.change(self._sock.fileno(), self._watched, wanted)
            self._watched = wanted

    def _send(self, packet: bytes) -> None:
        """Control messages wait their turn where connections may be refused."""
        self._unsent.append(packet)
        if not self._blocked:
            self._flush()

    def _flush(self) -> None:
        while self._unsent:
            try:
                packets.send(self._sock, self._unsent[0], self._cell.descriptor if _is_welcome(self._unsent[0]) else None)
            except (BlockingIOError, InterruptedError):
                self._block()
                return
            except OSError:
                self._unsent.clear()
                self._take_from_the_dead()
                break
            self._unsent.popleft()
        if self._came and not self._leaving:
            came, self._came = self._came, []
            self._owner.returned(self, came)

    def tell(self, patterns: tuple[tuple[str, bool], ...]) -> None:
        """The routes have changed."""
        self._patterns = patterns
        if not self.connecting and not self.ended:
            for packet in encode_routes(patterns):
                self._send(packet)

    # -- hearing

    def _on_events(self, events: int) -> None:
        if events & WRITE and self._blocked:
            self._blocked = False
            self._flush()
            if not self.ended:
                self._watch()
            if self.willing:
                self._owner.ready(self)
        if events & ~WRITE:
            self._read()

    def _read(self) -> None:
        number, over, gone = 0, False, False
        came: list[HandedBack] = []  # apart from those that TAKEN was said for, as hearing a message may send others
        for _ in range(BATCH):
            try:
                packet, descriptor = packets.receive(self._sock)
            except (BlockingIOError, InterruptedError):
                break
            except ConnectionResetError:
                continue  # said once, before what is still queued: the replica went without reading all of ours
            except Malformed as error:
                self._breach(error)
                over = True
                break
            except packets.DescriptorsLost as error:
                self._lost = True
                if self._revoked:
                    continue  # what the replica has taken may still stand behind it
                self.log.error("too many descriptors are open here: {error}", error=str(error))
                over = True
                break
            except OSError:
                over = gone = True
                break
            if not packet:
                over = gone = True
                break
            try:
                message = decode(packet)
                if isinstance(message, Connection) and descriptor is not None and not self.connecting:
                    if self._lost:
                        discard(descriptor)  # TAKEN would say that we have the lost one too
                        continue
                    if message.number != self._heard + 1:
                        raise Foreign(f"a hand-back has the number {message.number} after {self._heard}")
                    came.append(self._provenance.recognise(message, descriptor, self._clock()))
                    self._heard = number = message.number
                    continue
                self._hear(message)
            except ValueError as error:  # Malformed, Foreign, or a number that was never sent
                self._breach(error)
                over = True
            if descriptor is not None:
                discard(descriptor)
            if over or self.ended:
                break
        self._came += came
        if self.ended:
            self._let_go_of_untaken()
        elif number and not self._leaving:
            self._send(encode(Taken(number, 0)))  # said before we act on them
            if not self.ended:
                self._watch()
        if not over:
            return
        if gone or self._revoked:
            if self._came and self._revoked:
                self._flush()  # a dead replica has let go of its hand-backs; one that only does not read has them still
            self.end(gone and not self._revoked)
        else:
            self.revoke()  # we end it while the replica lives: what it has not taken, it must not take any more

    def _breach(self, error: ValueError) -> None:
        self.breached = True
        self.log.error("{replica} breaks the protocol: {error}", replica=self.replica, error=str(error))

    def _hear(self, message: Message) -> None:
        if self.connecting and not isinstance(message, Hello):
            raise Malformed(f"{type(message).__name__} came before Hello")
        match message:
            case Taken(number, open_):
                self._progress = self._clock()
                for arrival in self._custody.taken(number):
                    self._owner.taken(self, arrival)
                self._reports(open_)
            case Load(open_):
                self._reports(open_)
            case Draining():
                if not self.draining:
                    self.draining = True
                    self._send(encode(Farewell()))
            case Hello(version, capacity, service, replica) if self.connecting:
                if version != VERSION or service != self._service:
                    raise Malformed(f"version {version} of {service!r}, expected version {VERSION} of {self._service!r}")
                if replica != Path(self.path).stem or not replica.isprintable():
                    raise Malformed(f"it calls itself {replica!r}, which is not its file's name")
                self.connecting = False
                self.capacity, self.replica = capacity, replica
                self._send(encode(Welcome(VERSION)))
                for packet in encode_routes(self._patterns):
                    self._send(packet)
                self._owner.ready(self)
            case _:
                raise Malformed(f"{type(message).__name__} is not a replica's to send now")

    def _reports(self, open_: int) -> None:
        self.load = open_ + len(self._custody)

    # -- the end

    def leave(self) -> None:
        """Take nothing back any more, as the router ends: at the end of the link it is the replica's, for another router.

        It is kept until then, as it is ours where the replica dies first.
        """
        self._leaving = True

    def revoke(self) -> None:
        """Take back what the replica has not taken in time. It may wake up later: the cell tells it that it came too late."""
        self._revoked = True
        if self._leaving:
            self._send(encode(Farewell()))  # which also tells whether the replica is dead
        self._cell.revoke()
        self._sock.shutdown(socket.SHUT_RD)  # from now on it cannot say TAKEN; what it had said is still to be read
        for _ in range(len(self._custody) + BATCH):
            if self.ended:
                return
            self._read()
        self.end()

    def end(self, gone: bool = False) -> None:
        """Close the link; what was not taken goes back to the owner. `gone`: it was the replica that ended."""
        if self.ended:
            return
        self.ended = True
        self._poller.remove(self._sock.fileno())
        packets.empty(self._sock)
        if self._custody:
            self.leftover = self._sock
            with contextlib.suppress(OSError):
                self._sock.shutdown(socket.SHUT_RDWR)
        else:
            self._sock.close()
        self._unsent.clear()
        if gone:
            self._take_from_the_dead()
        self._let_go_of_untaken()
        self._cell.close()
        self._owner.ended(self, self._custody.reclaim())

    def _take_from_the_dead(self) -> None:
        """TAKEN cannot be said any more: a dead replica has let go of its hand-backs, a living one has kept them."""
        if self._cell.is_withdrawn:
            self._let_go_of_untaken()
            return
        came, self._came = self._came, []
        if came:
            self._owner.returned(self, came)

    def _let_go_of_untaken(self) -> None:
        """Hand-backs for which TAKEN could not be said are still the replica's: it has its own descriptors of them."""
        came, self._came = self._came, []
        for arrival in came:
            arrival.close()


def _is_welcome(packet: bytes) -> bool:
    return packet[:1] == encode(Welcome(VERSION))[:1]
