"""The quick way: a plain PUT of a small file is taken without a Request of twisted.web's, and published together with others.

It is taken only when nothing is special: the connection is at rest, the head is whole and the strict reader understands it, it
has a length of at most `MOST` bytes, and neither a condition, a digest nor an expectation. Everything else goes the way it
always went, and gets the same answer. While the body comes, and until it is answered, the exchange stands in the channel as
any request does, so that a drain, a lost connection and a pipelined request find what they expect.
"""

import re
from base64 import b64encode
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec
from svckit.atonce import send, takes_at_once
from svckit.hosts import is_host
from svckit.paths import BadTarget, normalise
from svckit.web import MOST_FIELDS, GuardedChannel
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import RESPONSES, datetimeToString
from twisted.web.server import version

from . import refusals
from .intake import PREFIX, Place, find
from .names import quoted
from .part import Published
from .small import Small

__all__ = ["LONGEST_HEAD", "MOST", "Asked", "QuickChannel", "read"]

MOST = 64 * 1024
"""Bytes of a file that goes the quick way; while they come they lie in memory."""
LONGEST_HEAD = 4096
"""Bytes of a head that the quick way looks at."""

_head = re.compile(
    rb"PUT (/[\x21-\x7e\x80-\xff]*+) HTTP/1\.1\r\n"
    rb"((?:[!#$%%&'*+\-.^_`|~0-9A-Za-z]++:[\t\x20-\x7e\x80-\xff]*+\r\n){1,%d}+)\r\n" % MOST_FIELDS
).match
_special = re.compile(
    rb"^(host|connection|content-length|content-range|content-encoding|transfer-encoding|expect|upgrade|"
    rb"(?:content|repr|want-repr)-digest|if-[a-z-]+):[ \t]*([^\r]*)\r$",
    re.IGNORECASE | re.MULTILINE,
).findall
_plain = re.compile(rb"%s/([A-Za-z0-9_~-][A-Za-z0-9._~-]{0,254})" % PREFIX).fullmatch
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Asked:
    """What a head asks for."""

    target: bytes
    """As it stands there."""
    name: str
    length: int
    end: int
    """Where the body begins."""


def read(data: bytes) -> Asked | None:
    """The head that `data` begins with; None where it is not for the quick way."""
    found = _head(data, 0, LONGEST_HEAD)
    if found is None:
        return None
    hosts, lengths = [], []
    for name, value in _special(found[2]):
        match name.lower():
            case b"host":
                hosts.append(value.rstrip(b" \t"))
            case b"content-length":
                lengths.append(value.rstrip(b" \t"))
            case b"connection" if value.strip().lower() == b"keep-alive":
                pass
            case _:
                return None
    if len(hosts) != 1 or not is_host(hosts[0]) or len(lengths) != 1 or not 0 < len(lengths[0]) < 8 or not lengths[0].isdigit():
        return None
    length, name = int(lengths[0]), _name_of(found[1])
    return Asked(found[1], name, length, found.end()) if name and length <= MOST else None


def _name_of(target: bytes) -> str:
    """The file's, empty where the target is none's."""
    if plain := _plain(target):
        return plain[1].decode("ascii")
    try:
        place = find(normalise(target))
    except BadTarget:
        return ""
    return place.name if isinstance(place, Place) else ""


class QuickChannel(GuardedChannel):
    """A channel that takes small files by itself."""

    site: Any
    _taking: "Exchange | None" = None
    """The exchange whose body is not whole."""

    def dataReceived(self, data: bytes) -> None:
        if self._taking is not None:
            self.resetTimeout()
            self._taking.take(data)
        elif not (data[:4] == b"PUT " and self.at_rest and self._takes(data)):
            super().dataReceived(data)

    def _takes(self, data: bytes) -> bool:
        intake, together = self.site.intake, self.site.together
        if together is None or self.site.writers is not None or (asked := read(data)) is None or intake.busy():
            return False
        rest = asked.length - (len(data) - asked.end)
        if rest < 0 or asked.length > intake.max_size or (rest and intake.no_space(asked.length, asked.name)):
            return False
        if self.lease is not None and self.requests_begun and not self.lease.ownership.owns(asked.target):
            return False
        self.resetTimeout()
        self.begin_request()
        exchange = Exchange(self, asked)
        if rest:
            self.requests.append(exchange)
            self._taking = exchange
        exchange.take(data[asked.end :])
        return True

    def body_is_whole(self, exchange: "Exchange") -> None:
        """From here on a pipelined request waits, and the client is not the one who is slow."""
        if self._taking is not None:
            self._taking = None
            self.requests.remove(exchange)
        self.begin_answer(exchange)

    def connectionLost(self, *reason: Any) -> None:
        self._taking = None
        super().connectionLost(*reason)


class Exchange:
    """A PUT that goes the quick way; for the log, and for the channel, what a Request is."""

    log = Logger()
    method = b"PUT"
    code = 200
    startedWriting = True
    user = None
    sentLength = 0
    _gone = False

    def __init__(self, channel: QuickChannel, asked: Asked) -> None:
        self.channel, self.uri = channel, asked.target
        self.began = channel.site.clock.seconds()
        self._asked = asked
        self._pieces: list[bytes] = []
        self._left = asked.length
        counts = channel.site.intake.counts
        counts.under_way += 1
        counts.count("begun", "put")

    def getClientAddress(self) -> Any:
        return self.channel.transport.getPeer()

    def take(self, data: bytes) -> None:
        """The next bytes; what is behind the body is the next request's."""
        body, behind = data[: self._left], data[self._left :]
        if body:
            self._pieces.append(body)
            self._left -= len(body)
        if self._left:
            return
        channel = self.channel
        channel.body_is_whole(self)
        channel.site.together.put(Small(self._asked.name, self._pieces, self._asked.length), self._published)
        if behind:
            channel.dataReceived(behind)

    def connectionLost(self, reason: Failure) -> None:
        """Called by the channel. What has come whole is published all the same."""
        self._gone = True
        if self._left:
            self._ended("broken_off")

    def _ended(self, how: str) -> None:
        counts = self.channel.site.intake.counts
        counts.under_way -= 1
        counts.count("bytes", "put", self._asked.length - self._left)
        counts.count(how, "put")

    def _published(self, result: Published | BaseException) -> None:
        published = isinstance(result, Published)
        self._ended("finished" if published else "broken_off")
        if isinstance(result, Published):
            self.code = 200 if result.replaced else 201
            headers, body = _told(result)
        else:
            refusal = refusals.of_error(result)
            self.code = refusal.status
            headers, body = _lines(refusal.all_headers()), refusal.body
            if refusal.status == 500:
                self.log.failure("an upload could not be written", Failure(result))
        if not self._gone:
            self._answer(headers, body)

    def _answer(self, headers: bytes, body: bytes) -> None:
        channel = self.channel
        transport = channel.transport
        if not channel.persistent:
            headers += b"Connection: close\r\n"
        data = b"%s%s\r\n%s" % (_start(self.code, int(channel.site.clock.seconds())), headers, body)
        self.sentLength = len(body)
        sent = send(transport, data) if takes_at_once(transport) else 0
        if sent < len(data):
            transport.write(data[sent:])
        channel.site.log(self)
        channel.requestDone(self)  # type: ignore[arg-type]  # it has what the channel asks of one


def _told(published: Published) -> tuple[bytes, bytes]:
    body = _encode(published.told) + b"\n"
    where = b"" if published.replaced else b"Location: %s/%s\r\n" % (PREFIX, quoted(published.name).encode("ascii"))
    kind = b"X-Content-Type-Options: nosniff\r\nContent-Type: application/json\r\n"
    if published.sha256 is not None:
        where += b"Repr-Digest: sha-256=:%s:\r\n" % b64encode(published.sha256)  # RFC 9530
    return b"%sETag: %s\r\n%sContent-Length: %d\r\n" % (kind, published.etag, where, len(body)), body


def _lines(headers: tuple[tuple[bytes, bytes], ...]) -> bytes:
    return b"".join(b"%s: %s\r\n" % header for header in headers)


@lru_cache(maxsize=8)
def _start(code: int, second: int) -> bytes:
    phrase = RESPONSES.get(code, b"Refused")
    return b"HTTP/1.1 %d %s\r\nServer: %s\r\nDate: %s\r\n" % (code, phrase, version, datetimeToString(second))
