"""The quick way: a plain GET for a prepared answer is answered at once, without a Request of twisted.web's.

It is taken only when nothing is special: the connection is at rest, what has arrived is one whole head that the strict reader
understands, without a body, a condition or a range, and the answer is prepared and still holds. Everything else goes the way
it always went, and gets the same answer.

Head and file go straight into the socket. Where it takes no more, the rest follows by `KernelSending`; the exchange then
stands in the channel as any request does, so that a drain, a lost connection and a pipelined request find what they expect.
"""

import os
import re
import socket
from typing import Any

from svckit.atonce import send, takes_at_once
from svckit.hosts import is_host
from svckit.kernelsending import KernelSending, push
from svckit.paths import BadTarget, normalise
from svckit.remembered import Remembered
from svckit.sendfile import SMALL, Part
from svckit.web import MOST_FIELDS, GuardedChannel
from twisted.python.failure import Failure

from .codings import accepted
from .hot import Hot, Key, Prepared

__all__ = ["LONGEST_HEAD", "MOST_HEADS", "QuickChannel", "read"]

LONGEST_HEAD = 2048
"""Bytes of a head that the quick way looks at; so what it remembers of heads stays within 2 MiB."""
MOST_HEADS = 1024
"""Heads that are remembered."""

_head = re.compile(
    rb"GET (/[\x21-\x7e]*+) HTTP/1\.1\r\n"
    rb"((?:[!#$%%&'*+\-.^_`|~0-9A-Za-z]++:[\t\x20-\x7e\x80-\xff]*+\r\n){1,%d}+)\r\n\Z" % MOST_FIELDS
).match
_special = re.compile(
    rb"^(host|connection|accept-encoding|content-length|transfer-encoding|expect|upgrade|range|if-[a-z-]+):[ \t]*([^\r]*)\r$",
    re.IGNORECASE | re.MULTILINE,
).findall


def read(head: bytes) -> tuple[Key, bytes] | None:
    """What a head asks for, and the target as it stands there; None where it is not for the quick way."""
    return _heads[head]


def _read(head: bytes) -> tuple[Key, bytes] | None:
    found = _head(head)
    if found is None:
        return None
    hosts, coding = [], b""
    for name, value in _special(found[2]):
        match name.lower():
            case b"host":
                hosts.append(value.rstrip(b" \t"))
            case b"connection" if value.strip().lower() == b"keep-alive":
                pass
            case b"accept-encoding" if not coding:
                coding = value
            case _:
                return None
    if len(hosts) != 1 or not is_host(hosts[0]):
        return None
    try:
        return (normalise(found[1]), accepted(coding) if coding else ()), found[1]
    except BadTarget:
        return None


_heads = Remembered(_read, MOST_HEADS)


class QuickChannel(GuardedChannel):
    """A channel that answers at once what is prepared."""

    site: Any

    def dataReceived(self, data: bytes) -> None:
        if not (data[:4] == b"GET " and len(data) <= LONGEST_HEAD and self.at_rest and self._answers_at_once(data)):
            super().dataReceived(data)

    def _answers_at_once(self, data: bytes) -> bool:
        asked = read(data)
        if asked is None:
            return False
        hot: Hot = self.site.hot
        prepared = hot.find(asked[0])
        transport = self.transport
        if prepared is None or not takes_at_once(transport) or self._is_anothers(prepared, asked[0][0]):
            return False
        fd = hot.opened.lend(prepared)
        if fd < 0:
            hot.forget(asked[0])
            return False
        prepared.used = True
        self.resetTimeout()
        self.begin_request()
        exchange = Exchange(self, asked[1])
        if prepared.size < SMALL:
            exchange.send_small(prepared, fd)
        else:
            exchange.send_large(prepared, fd)
        return True

    def _is_anothers(self, prepared: Prepared, path: bytes) -> bool:
        if self.lease is None or not self.requests_begun:
            return False
        ownership = self.lease.ownership
        if prepared.patterns is ownership.patterns:
            return False
        if not ownership.owns(path):
            return True
        prepared.patterns = ownership.patterns
        return False


class Exchange:
    """A request that is answered the quick way; for the log, and for the channel, what a Request is."""

    method = b"GET"
    code = 200
    startedWriting = True
    user = None
    sentLength = 0
    _sending: KernelSending | None = None

    def __init__(self, channel: QuickChannel, uri: bytes) -> None:
        self.channel, self.uri = channel, uri
        self.began = channel.site.clock.seconds()

    def getClientAddress(self) -> Any:
        return self.channel.transport.getPeer()

    def send_small(self, prepared: Prepared, fd: int) -> None:
        """Head and content in one go."""
        body = os.pread(fd, prepared.size, 0)
        transport = self.channel.transport
        if len(body) != prepared.size:  # cut short since it was looked at: the promised length cannot be kept
            transport.abortConnection()
            return
        data = prepared.head_now() + body
        self.sentLength = prepared.size
        sent = send(transport, data)
        if sent < len(data):
            transport.write(data[sent:])
        self.channel.site.log(self)

    def send_large(self, prepared: Prepared, fd: int) -> None:
        """The head and as much of the file as the socket takes; the rest when it takes more."""
        transport, head = self.channel.transport, prepared.head_now()
        sent, size, moved = send(transport, head, socket.MSG_MORE), prepared.size, 0
        if sent < len(head):
            transport.write(head[sent:])
        else:
            try:
                moved = push(transport.fileno(), fd, 0, size, self.channel.site.clock)
            except OSError:  # the client has gone, or the file has become shorter
                transport.abortConnection()
                return
        self.sentLength = moved
        if moved == size:
            self.channel.site.log(self)
            return
        try:
            own = os.dup(fd)
        except OSError:  # out of descriptors, in the middle of an answer
            transport.abortConnection()
            return
        self.channel.begin_answer(self)
        self._sending = KernelSending(self, own, [Part(b"", moved, size - moved)])
        self._sending.start()

    def finish(self) -> None:
        """Called when the last byte is with the kernel."""
        self.channel.site.log(self)
        self.channel.requestDone(self)  # type: ignore[arg-type]  # it has what the channel asks of one

    def connectionLost(self, reason: Failure) -> None:
        """Called by the channel."""
        if self._sending is not None:
            self._sending.lost(reason)
