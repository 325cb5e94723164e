"""A replica's end of one link, whatever loop turns it: says hello, takes connections, hands connections back.

The order that makes custody exact: read a batch of connections, say TAKEN, and only when that is sent let anybody see their
first byte. Where TAKEN cannot be sent because the router reads nothing, the batch waits; where the router has ended the link,
the revocation cell decides; where we end it ourselves, the router lives and has them.

There is one for each router. It does its own packets and knows no loop. `svckit.handoff.link` puts it into a Twisted reactor,
`svckit.handoff.aio.link` into an event loop of asyncio: each says what the time is, and when there is something to read, or
room to write.
"""

import os
import socket
from collections import deque
from typing import Any

from . import packets
from .cell import is_revoked, withdraw
from .codec import (
    VERSION,
    Connection,
    Farewell,
    Malformed,
    Message,
    Routes,
    Taken,
    Welcome,
    decode,
    encode,
    encode_taken,
)
from .edge import Alarm, Owner, R
from .saying import Saying

__all__ = ["BATCH", "TAKE_TIMEOUT", "LinkEnd"]

BATCH = 32
"""Packets read at one go, so that the service's own connections get their turn."""
TAKE_TIMEOUT = 2.0
"""Seconds for the next TAKEN of our hand-backs, and for FAREWELL: a router that says neither hangs, and its link is ended."""

_NO_ROUTER = "the router does not speak this protocol: {error}"


class LinkEnd(Saying[R]):
    """One SOCK_SEQPACKET connection from a router."""

    def __init__(self, sock: socket.socket, owner: Owner[Any, R]) -> None:
        super().__init__(sock, owner)
        self._arrived: deque[tuple[Connection, int]] = deque()
        self._patterns: tuple[tuple[str, bool], ...] = ()
        self._cell = -1
        self.welcomed = False
        self._alarm: Alarm | None = None
        self._start_reading()
        self._send(encode(owner.hello()))

    # -- receiving

    def _read(self) -> None:
        """Take what has come, in one batch."""
        number, over, gone = 0, False, False
        for _ in range(BATCH):
            try:
                packet, descriptor = packets.receive(self._sock)
            except (BlockingIOError, InterruptedError):
                break
            except ConnectionResetError:
                continue  # said once, before what is still queued: the router went without reading all of ours
            except Malformed as error:
                self._error(_NO_ROUTER, error=str(error))
                over = True
                break
            except packets.DescriptorsLost as error:
                # Not taken, so still the router's: ending the link gives it, and all behind it, to another replica.
                self._error("too many descriptors are open here: {error}", error=str(error))
                over = True
                break
            except OSError:
                gone = over = True
                break
            if not packet:
                gone = over = True
                break
            try:
                message = decode(packet)
                if isinstance(message, Connection) and descriptor is not None:
                    number = message.number
                    self._arrived.append((message, descriptor))
                    continue
                descriptor = self._hear(message, descriptor)
            except ValueError as error:  # Malformed, a number that was never sent, routes that are none
                self._error(_NO_ROUTER, error=str(error))
                over = True
            if descriptor is not None:
                os.close(descriptor)
            if over:
                break
        if number:
            self._send(encode_taken(number, self._owner.load() + len(self._arrived)), taken=number)
        if gone:
            self._decide_on_arrived()
        if over:
            self.end(gone)

    def _hear(self, message: Message, descriptor: int | None) -> int | None:
        """Act on it; returns the descriptor if there was no use for it."""
        match message:
            case Taken(number, _):
                for returned in self._custody.taken(number):
                    returned.sock.close()
                self._waits_since = self._now()
                if self.said_farewell and self.settled:
                    self._owner.farewell(self)
            case Routes(last, patterns):
                self._patterns += patterns
                if last:
                    patterns, self._patterns = self._patterns, ()
                    self._owner.routes(patterns)
            case Welcome(version) if descriptor is not None and not self.welcomed:
                if version != VERSION:
                    raise ValueError(f"version {version}, expected {VERSION}")
                self._cell, descriptor = descriptor, None
                self.welcomed = True
                self._owner.welcomed(self)
            case Farewell():
                self.said_farewell = True
                self._owner.farewell(self)
            case Connection():  # TAKEN for the next one would say that we have this one too
                raise ValueError("a connection without a descriptor")
            case _:
                self._error("the router sent a {kind}, which it never should", kind=type(message).__name__)
        return descriptor

    def _adopt_arrived(self, number: int | None = None) -> None:
        """Those up to `number`, or all."""
        while self._arrived and (number is None or self._arrived[0][0].number <= number):
            connection, descriptor = self._arrived.popleft()
            self._owner.adopt(connection, descriptor, self)

    # -- a router that hangs

    @property
    def _owed(self) -> bool:
        """Whether the router has to say something."""
        return bool(self._custody) or (self._draining and not self.said_farewell)

    def _watch(self) -> None:
        """Before something is asked of the router; its time begins anew with each TAKEN."""
        if not self._owed:
            self._waits_since = self._now()
        if self._alarm is None and not self.ended:
            self._alarm = self._later(TAKE_TIMEOUT, self._look_whether_it_hangs)

    def _look_whether_it_hangs(self) -> None:
        self._alarm = None
        self._read()  # it may be we who were away, and what it said lies here
        if self.ended or not self._owed:
            return
        left = self._waits_since + TAKE_TIMEOUT - self._now()
        if left > 0:
            self._alarm = self._later(left, self._look_whether_it_hangs)
            return
        self._warn("a router hangs, its link is ended")
        self.end()

    # -- the end

    def _decide_on_arrived(self) -> None:
        """TAKEN could not be said, as the link has ended: are the connections ours?"""
        if self._cell >= 0 and is_revoked(self._cell):
            self._drop_arrived()
        else:
            self._adopt_arrived()  # the router is dead, and nobody else has them

    def _drop_arrived(self) -> None:
        while self._arrived:
            os.close(self._arrived.popleft()[1])  # never shut down: another replica is serving them

    def end(self, gone: bool = False) -> None:
        """Close the link. What was not taken of our hand-backs goes to the owner, to try another router.

        `gone`: the router has ended it. If not, it lives, and is told that it is too late to take them.
        """
        if self.ended:
            return
        self._drop_arrived()  # not taken, and the router lives: at the end of the link it has them
        if not gone and self._custody and self._cell >= 0:
            self._withdraw()
        self.ended = True
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        self._stop_reading()
        self._stop_writing()
        self._sock.close()
        if self._cell >= 0:
            os.close(self._cell)
            self._cell = -1
        self._unsent.clear()
        self._owner.ended(self, self._custody.reclaim())

    def _withdraw(self) -> None:
        withdraw(self._cell)
        self._sock.shutdown(socket.SHUT_RD)  # from now on it cannot say TAKEN; what it had said is still to be read
        while True:
            try:
                packet, descriptor = packets.receive(self._sock)
                if descriptor is not None:
                    os.close(descriptor)  # a connection that we have not taken
                message = decode(packet) if packet else None
            except (ConnectionResetError, packets.DescriptorsLost, ValueError):
                continue  # TAKEN may stand behind it
            except OSError:
                return
            if message is None:
                return
            if isinstance(message, Taken) and message.number <= self._custody.last_sent:
                for returned in self._custody.taken(message.number):
                    returned.sock.close()
