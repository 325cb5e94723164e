"""The access log: one JSON line for each connection that the router has decided on, written when it leaves the router.

`docs/access-log.md` explains the fields. Lines are gathered and written together, as a write for each would cost more than the
hand-over.
"""

import re
import sys
import time
from collections.abc import Iterable, Iterator
from select import PIPE_BUF
from typing import Any, Protocol

import msgspec
from svckit.reactors import Reactor
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from .arrival import Arrival
from .core.answers import Answer
from .core.termination import NORMAL
from .measures import Measures

__all__ = ["AccessLog", "Stream"]

FLUSH_DELAY = 0.1
"""Seconds that a line may wait for others."""
LINES_AT_ONCE = 512
"""Lines that do not wait: those of a crowd that is answered in one moment would take a megabyte."""

_host = re.compile(rb"^host:", re.IGNORECASE | re.MULTILINE).search


class Line(msgspec.Struct):
    """One line."""

    time: str
    client: str
    port: int
    service: str | None
    replica: str | None
    how: str
    status: int | None
    ended: str
    why: str | None
    method: str | None
    target: str | None
    host: str | None
    returned: bool
    ms: float
    up: int | None = None
    down: int | None = None
    log: str = "access"


Entry = tuple[Any, ...]
"""What a line is made of, in its order; `AccessLog._line` makes it."""


class Stream(Protocol):
    """What lines are written to."""

    def write(self, text: str, /) -> object: ...
    def flush(self) -> object: ...


class AccessLog:
    """Writes lines to `stream`, in batches, and counts in `measures`."""

    log = Logger()

    def __init__(self, reactor: Reactor, stream: Stream = sys.stdout) -> None:
        self._reactor, self._stream = reactor, stream
        self.measures = Measures()
        self._entries: list[Entry] = []  # lines are made of them when they are written: at one go it takes half the time
        self._encode = msgspec.json.Encoder().encode
        self._flush_call: IDelayedCall | None = None
        self._failing = False
        self._millisecond = self._second = -1  # of the last line: many fall into one
        self._date = self._text = ""

    def answered(self, arrival: Arrival, answer: Answer) -> None:
        """The router has answered itself."""
        self.measures.answered(arrival, answer)
        self._add(arrival, self._reactor.seconds(), "answered", None, answer.status, answer.ended, answer.why)

    def put_through(self, arrival: Arrival, how: str, replica: str | None) -> None:
        """The connection lives on elsewhere."""
        now = self._reactor.seconds()
        self.measures.put_through(arrival, how, replica, now)
        self._add(arrival, now, how, replica, None, NORMAL, None)

    def handed_over(self, arrivals: "list[Arrival]", replica: str) -> None:
        """A replica has taken them."""
        now, measures = self._reactor.seconds(), self.measures
        for arrival in arrivals:
            measures.put_through(arrival, "handed over", replica, now)
            self._add(arrival, now, "handed over", replica, None, NORMAL, None)

    def tunnel_ended(self, arrival: Arrival, replica: str, ended: str, up: int, down: int, why: str | None = None) -> None:
        """A connection through a tcp target is over, as `ended` tells (`core.termination`), or has left it."""
        self.measures.tunnel_ended(arrival, replica, up, down)
        self._add(arrival, self._reactor.seconds(), "tcp", replica, None, ended, why, up, down)

    def _add(
        self,
        arrival: Arrival,
        now: float,
        how: str,
        replica: str | None,
        status: int | None,
        ended: str,
        why: str | None,
        up: int | None = None,
        down: int | None = None,
    ) -> None:
        head, service = arrival.head, arrival.service
        method = target = host = None
        if head is not None:
            method, target, fields = head.method, head.target, head.fields
            # where clients put it; the expression looks through all fields
            at = 5 if fields.startswith((b"Host:", b"host:")) else _after_host(fields)
            if at:
                host = fields[at : fields.find(b"\r", at)]
        self._entries.append(
            (
                int(time.time() * 1000),
                arrival.client,
                None if service is None else service.name,
                replica,
                how,
                status,
                ended,
                why,
                method,
                target,
                host,
                arrival.returned,
                now - arrival.since,
                up,
                down,
            )
        )
        if self._flush_call is None:
            self._flush_call = self._reactor.callLater(FLUSH_DELAY, self.flush)
        elif len(self._entries) >= LINES_AT_ONCE:
            self.flush()

    def _line(self, entry: Entry) -> bytes:
        at, client, service, replica, how, status, ended, why, method, target, host, returned, seconds, up, down = entry
        return self._encode(
            Line(
                self._time(at),
                client[0],
                client[1],
                service,
                replica,
                how,
                status,
                ended,
                why,
                None if method is None else method.decode("latin-1"),
                None if target is None else target.decode("latin-1"),
                None if host is None else host.strip(b" \t").decode("latin-1"),
                returned,
                int(seconds * 100_000 + 0.5) / 100,
                up,
                down,
            )
        )

    def _time(self, now: int) -> str:
        if now != self._millisecond:
            self._millisecond = now
            second, rest = divmod(now, 1000)
            if second != self._second:
                self._second, self._date = second, time.strftime("%Y-%m-%dT%H:%M:%S.", time.gmtime(second))
            self._text = f"{self._date}{rest:03d}Z"
        return self._text

    def flush(self) -> None:
        """Write what has gathered. What cannot be written is lost: a full disk must not cost a connection its answer."""
        if self._flush_call is not None and self._flush_call.active():
            self._flush_call.cancel()
        self._flush_call = None
        if self._entries:
            entries, self._entries = self._entries, []
            try:
                for chunk in _chunks(map(self._line, entries)):
                    self._stream.write(chunk.decode())
                    self._stream.flush()
                self._failing = False
            except OSError as error:
                if not self._failing:
                    self.log.error("the access log cannot be written, and lines are lost: {why}", why=error.strerror)
                self._failing = True


def _after_host(fields: bytes) -> int:
    """Where the first Host field's value begins; 0 where there is none."""
    found = _host(fields)
    return 0 if found is None else found.end()


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
