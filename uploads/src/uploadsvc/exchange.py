"""An exchange of the quick way: what a Request of twisted.web's is to the channel and the log, and the answer to a PUT."""

from abc import ABC, abstractmethod
from base64 import b64encode
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import msgspec
from svckit.atonce import send, takes_at_once
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import RESPONSES, datetimeToString
from twisted.web.server import version

from . import refusals
from .intake import PREFIX
from .names import quoted
from .part import Published
from .plain import Asked
from .sink import add
from .small import Small

__all__ = ["Exchange", "Gathered"]

_encode = msgspec.json.Encoder().encode


class Exchange(ABC):
    """A PUT; `left` bytes of it are still to come."""

    log = Logger()
    method = b"PUT"
    code = 200
    startedWriting = True
    user = None
    sentLength = 0
    _gone = False

    def __init__(self, channel: Any, asked: Asked) -> None:
        """`channel` is a `quick.QuickChannel`."""
        self.channel, self.uri = channel, asked.target
        self.began = channel.site.clock.seconds()
        self.asked = asked
        self.left = asked.length
        counts = channel.site.intake.counts
        counts.under_way += 1
        counts.count("begun", "put")

    def getClientAddress(self) -> Any:
        return self.channel.transport.getPeer()

    @abstractmethod
    def take(self, data: bytes) -> None:
        """The next bytes; what is behind the body is the next request's."""

    def connectionLost(self, reason: Failure) -> None:
        """Called by the channel. What has come whole is published all the same."""
        self._gone = True

    def ended(self, how: str) -> None:
        """Count it as `how` (see `counts`): nothing more comes of it."""
        counts = self.channel.site.intake.counts
        counts.under_way -= 1
        counts.count("bytes", "put", self.asked.length - self.left)
        counts.count(how, "put")

    def published(self, result: Published | BaseException) -> None:
        """Answer with what has come of it, if the client is still there."""
        self.ended("finished" if isinstance(result, Published) else "broken_off")
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
        channel.answered(self)


class Gathered(Exchange):
    """A small file, which waits in memory until it is whole."""

    def __init__(self, channel: Any, asked: Asked) -> None:
        super().__init__(channel, asked)
        self._pieces: list[bytes | bytearray] = []

    def take(self, data: bytes) -> None:
        body, behind = data[: self.left], data[self.left :]
        if body:
            add(self._pieces, body)
            self.left -= len(body)
        if not self.left:
            self.whole(self._pieces)
        if behind:
            self.channel.dataReceived(behind)

    def whole(self, pieces: Sequence[bytes | bytearray]) -> None:
        """These are all of it."""
        self.left = 0
        channel, asked = self.channel, self.asked
        channel.expect_answer(self)
        file = Small(asked.name, pieces, asked.length, hashes=asked.hashes)
        channel.site.together.put(file, self.published, channel.no_answer_yet)

    def connectionLost(self, reason: Failure) -> None:
        super().connectionLost(reason)
        if self.left:
            self.ended("broken_off")


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
