"""The access log: one JSON line for each connection that the router has decided on, written when it leaves the router.

    time       when it left, UTC
    client     address of the client
    service    the service that owns the route, or null
    replica    who took it, or null
    how        "handed over", "in process", "tcp", or "answered"
    status     the status that the router itself answered, or null; 0 is a close without a word
    ended_by   "router", "service" or "client": who ended it first; null for a connection that lives on elsewhere
    why        the reason of an answer
    method, target, host     of the request that was routed, or null
    returned   true where a service had handed it back before
    ms         time that it spent in the router
    up, down   bytes for tcp, else null

Lines are gathered and written together, as a write for each would cost more than the hand-over.
"""

import re
import sys
from collections.abc import Iterable, Iterator
from datetime import datetime, timezone
from select import PIPE_BUF
from typing import TextIO

import msgspec
from svckit.reactors import Reactor
from twisted.internet.interfaces import IDelayedCall

from .arrival import Arrival
from .core.answers import LEFT, Answer
from .measures import Measures

__all__ = ["AccessLog"]

FLUSH_DELAY = 0.1
"""Seconds that a line may wait for others."""

_host = re.compile(rb"^host:([^\r\n]*)", re.IGNORECASE | re.MULTILINE).search


class Line(msgspec.Struct):
    """One line; the module's head says what the fields mean."""

    time: str
    client: str
    port: int
    service: str | None
    replica: str | None
    how: str
    status: int | None
    ended_by: str | None
    why: str | None
    method: str | None
    target: str | None
    host: str | None
    returned: bool
    ms: float
    up: int | None = None
    down: int | None = None
    log: str = "access"


class AccessLog:
    """Writes lines to `stream`, in batches, and counts in `measures`."""

    def __init__(self, reactor: Reactor, stream: TextIO = sys.stdout) -> None:
        self._reactor, self._stream = reactor, stream
        self.measures = Measures()
        self._lines: list[bytes] = []
        self._encode = msgspec.json.Encoder().encode
        self._flush_call: IDelayedCall | None = None

    def answered(self, arrival: Arrival, answer: Answer) -> None:
        """The router has answered itself."""
        ended_by = "client" if answer is LEFT else "router"
        self.measures.answered(arrival, answer)
        self._add(arrival, self._reactor.seconds(), "answered", None, answer.status, ended_by, answer.why)

    def put_through(self, arrival: Arrival, how: str, replica: str | None) -> None:
        """The connection lives on elsewhere."""
        now = self._reactor.seconds()
        self.measures.put_through(arrival, how, replica, now)
        self._add(arrival, now, how, replica, None, None, None)

    def tunnel_ended(self, arrival: Arrival, replica: str, ended_by: str | None, up: int, down: int) -> None:
        """A connection through a tcp target is over, or (`ended_by` None) has left it."""
        self.measures.tunnel_ended(arrival, replica, up, down)
        self._add(arrival, self._reactor.seconds(), "tcp", replica, None, ended_by, None, up, down)

    def _add(
        self,
        arrival: Arrival,
        now: float,
        how: str,
        replica: str | None,
        status: int | None,
        ended_by: str | None,
        why: str | None,
        up: int | None = None,
        down: int | None = None,
    ) -> None:
        head = arrival.head
        method = target = host = None
        if head is not None:
            method, target = head.method.decode("latin-1"), head.target.decode("latin-1")
            found = _host(head.fields)
            host = found[1].strip(b" \t").decode("latin-1") if found else None
        line = Line(
            datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
            *arrival.client,
            arrival.service.name if arrival.service is not None else None,
            replica,
            how,
            status,
            ended_by,
            why,
            method,
            target,
            host,
            arrival.returned,
            round((now - arrival.since) * 1000, 2),
            up,
            down,
        )
        self._lines.append(self._encode(line))
        if self._flush_call is None:
            self._flush_call = self._reactor.callLater(FLUSH_DELAY, self.flush)

    def flush(self) -> None:
        """Write what has gathered."""
        if self._flush_call is not None and self._flush_call.active():
            self._flush_call.cancel()
        self._flush_call = None
        if self._lines:
            lines, self._lines = self._lines, []
            for chunk in _chunks(lines):
                self._stream.write(chunk.decode())
                self._stream.flush()


def _chunks(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Whole lines, joined up to what a pipe takes in one piece: several workers of one router write to the same one."""
    chunk: list[bytes] = []
    size = 0
    for line in lines:
        if chunk and size + len(line) >= PIPE_BUF:
            yield b"\n".join((*chunk, b""))
            chunk, size = [], 0
        chunk.append(line)
        size += len(line) + 1
    if chunk:
        yield b"\n".join((*chunk, b""))
