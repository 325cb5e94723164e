"""What a replica says on its link, and what of it is believed.

A replica may be in a stranger's hands. It can say nothing before it has said who it is, nothing out of turn, and not more at a
time than others get; what it hands back is looked at by `portico.provenance`. `docs/security.md` lists what it could try.
"""

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from svckit.handoff import packets
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
    encode_routes,
    encode_taken,
)
from svckit.handoff.strangers import discard
from twisted.logger import Logger

from .arrival import HandedBack
from .linkending import Ending
from .linkout import BATCH, Owner
from .poller import READ, WRITE, Poller
from .provenance import Foreign, Provenance

__all__ = ["Hearing"]


class Hearing(Ending):
    """The part of a link that hears."""

    log = Logger()

    def __init__(
        self,
        sock: socket.socket,
        path: str,
        service: str,
        patterns: tuple[tuple[str, bool], ...],
        owner: Owner[Any],
        poller: Poller,
        clock: Callable[[], float],
        provenance: Provenance | None = None,
    ) -> None:
        """`clock` gives seconds; `patterns` is what the replica is told of the routes; `provenance` is the service's."""
        super().__init__(sock, owner, poller)
        self._clock = clock
        self.path, self._service, self._patterns = path, service, patterns
        self.replica = path
        self.since = clock()
        self.connecting, self.draining = True, False
        self.drained = False
        """An operator wants no new connections to go there."""
        self.capacity = 0
        self.load = 0
        """Connections that the replica has, or has on their way. No property: balancing asks each link for each connection."""
        self._progress = 0.0  # when TAKEN was last said
        self._lost = False  # a hand-back could not be received: it stays the replica's, and so do all after it
        self._heard = 0  # the number of the last hand-back
        self._provenance = provenance or Provenance(service)
        self.breached = False
        """The replica has broken the protocol."""
        poller.add(sock.fileno(), READ, self._on_events)

    @property
    def willing(self) -> bool:
        """Whether a connection may be offered now."""
        return not (self.draining or self.ended or self.drained or self._revoked or self.connecting or self._blocked)

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
            self._send(encode_taken(number, 0))  # said before we act on them
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
                self._owner.taken(self, self._custody.taken(number))
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
