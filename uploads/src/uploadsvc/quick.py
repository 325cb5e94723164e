"""The quick way: a plain PUT is taken without a Request of twisted.web's.

It is taken only when nothing is special: the connection is at rest, the head is whole and the strict reader understands it, it
has a length, and neither a condition, a digest nor an expectation. A file of at most `MOST` bytes is gathered and published
together with others, a larger one goes straight from socket to file (`straight`). Everything else goes the way it always went,
and gets the same answer. While the body comes, and until it is answered, the exchange stands in the channel as
any request does, so that a drain, a lost connection and a pipelined request find what they expect.
"""

import re
from math import inf
from typing import Any

from svckit.hosts import is_host
from svckit.paths import BadTarget, normalise
from svckit.web import MOST_FIELDS, GuardedChannel

from .digests import wants_sha256
from .exchange import Asked, Exchange, Gathered
from .intake import PREFIX, Place, find
from .refusals import LINGER
from .splicing import can_splice
from .straight import Straight

__all__ = ["LONGEST_HEAD", "MOST", "QuickChannel", "read"]

MOST = 64 * 1024
"""Bytes of a file that lies in memory while it comes."""
LONGEST_HEAD = 4096
"""Bytes of a head that the quick way looks at."""

_head = re.compile(
    rb"PUT (/[\x21-\x7e]*+) HTTP/1\.1\r\n"
    rb"((?:[!#$%%&'*+\-.^_`|~0-9A-Za-z]++:[\t\x20-\x7e\x80-\xff]*+\r\n){1,%d}+)\r\n" % MOST_FIELDS
).match
_special = re.compile(
    rb"^(host|connection|content-length|content-range|content-encoding|transfer-encoding|expect|upgrade|"
    rb"(?:content|repr|want-repr)-digest|if-[a-z-]+):[ \t]*([^\r]*)\r$",
    re.IGNORECASE | re.MULTILINE,
).findall
_plain = re.compile(rb"%s/([A-Za-z0-9_~-][A-Za-z0-9._~-]{0,254})" % PREFIX).fullmatch


def read(data: bytes) -> Asked | None:
    """The head that `data` begins with; None where it is not for the quick way."""
    found = _head(data, 0, LONGEST_HEAD)
    if found is None:
        return None
    hosts, lengths, wishes = [], [], []
    for name, value in _special(found[2]):
        match name.lower():
            case b"host":
                hosts.append(value.rstrip(b" \t"))
            case b"content-length":
                lengths.append(value.rstrip(b" \t"))
            case b"want-repr-digest":
                wishes.append(value)
            case b"connection" if value.strip().lower() == b"keep-alive":
                pass
            case _:
                return None
    if (
        len(hosts) != 1
        or not is_host(hosts[0])
        or len(lengths) != 1
        or not 0 < len(lengths[0]) < 16
        or not lengths[0].isdigit()
    ):
        return None
    length, name = int(lengths[0]), _name_of(found[1])
    hashes = bool(wishes) and wants_sha256(lambda _: b", ".join(wishes))
    return Asked(found[1], name, length, found.end(), hashes) if name else None


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
    """A channel that takes plain files by itself."""

    site: Any
    _taking: Exchange | None = None
    """The exchange whose body is not whole, where its bytes come this way."""

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
        large = asked.length > MOST
        if rest < 0 or asked.length > intake.max_size or (rest and intake.no_space(asked.length, asked.name)):
            return False
        if large and not (
            rest and self.site.splices and not (asked.hashes or intake.store.hashes) and can_splice(self.transport)
        ):
            return False
        if self.lease is not None and self.requests_begun and not self.lease.ownership.owns(asked.target):
            return False
        return self._begin_large(asked, data) if large else self._begin_small(asked, data, rest)

    def _begin_small(self, asked: Asked, data: bytes, rest: int) -> bool:
        self.resetTimeout()
        self.begin_request()
        exchange = Gathered(self, asked)
        if rest:
            self.requests.append(exchange)
            self.give_to(exchange)
        exchange.take(data[asked.end :])
        return True

    def _begin_large(self, asked: Asked, data: bytes) -> bool:
        try:
            exchange = Straight(self, asked)
        except OSError:  # no descriptors are left for it; the ordinary way takes none
            return False
        self.begin_request()
        self.requests.append(exchange)
        exchange.begin(data[asked.end :])
        return True

    def give_to(self, exchange: Exchange) -> None:
        """What arrives here is its, until its body is whole."""
        self._taking = exchange

    def body_is_whole(self, exchange: Exchange) -> None:
        """From here on a pipelined request waits, and the client is not the one who is slow."""
        self._taking = None
        if exchange in self.requests:
            self.requests.remove(exchange)
        self.begin_answer(exchange)

    def refuse_midway(self, exchange: Exchange, answer: bytes) -> None:
        """Answer although the body is not whole; its rest is read away, however much that is, while there is time."""
        self._taking = None
        self.requests.remove(exchange)
        self.setTimeout(self.site.timeOut)  # of the time in which the answer goes out
        self.refuse(answer, inf, LINGER)

    def connectionLost(self, *reason: Any) -> None:
        self._taking = None
        super().connectionLost(*reason)
