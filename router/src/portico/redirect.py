"""A redirect from plain HTTP to TLS: what a route may have in place of a service.

The answer is 308, so a client repeats the request as it was, method and body included. Where it is sent is put together from
nothing but the request itself: the host that it names, which must be one, and its path and query. So there is no text in which
it could be sent to another host than the one that it has asked.

A request that names no host, or not in one sound way, gets 400.
"""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .arrival import Arrival
from .core.answers import BAD_HOST, BAD_REQUEST, Answer, moved
from .core.head import Head
from .core.preface import BadHost, Preface

if TYPE_CHECKING:
    from .service import Refusals

__all__ = ["HTTPS", "Redirect", "location"]

HTTPS = 443
"""The port that need not be said."""

_form = re.compile(r"https(?::([1-9][0-9]{0,4}))?").fullmatch
_host = re.compile(rb"[0-9a-z._-]++|\[[0-9a-f:.]++\]").fullmatch
_scheme_and_host = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]*+://[^/?#]*+").match
_unsafe = re.compile(rb"[^!$%&'()*+,\-./0-9:;=?@A-Z_a-z~]").sub


@dataclass(frozen=True, slots=True)
class Redirect:
    """To the same host and target by TLS, on `port`."""

    port: int = HTTPS
    refusals: "Refusals | None" = None
    """Who answers clients; None where routes are only asked, and nothing is put through."""

    @classmethod
    def of(cls, text: str, refusals: "Refusals | None" = None) -> "Redirect":
        """What the configuration writes, `https` or `https:8443`.

        Raises:
            ValueError: it is neither.
        """
        found = _form(text)
        port = int(found[1] or HTTPS) if found else 0
        if not 0 < port <= 65_535:
            raise ValueError(f"expected 'https' or 'https:PORT', found {text!r}")
        return cls(port, refusals)

    def put_through(self, arrival: Arrival) -> None:
        """Answer, and close."""
        assert self.refusals is not None
        arrival.service = None
        self.refusals.answer(arrival, self.answer_to(arrival))

    def answer_to(self, arrival: Arrival) -> Answer:
        """308, or 400."""
        head = arrival.head
        if head is None:
            return BAD_REQUEST
        preface = Preface(arrival.preface, head=head)
        try:
            host = preface.host if preface.fields(b"host") else None
        except BadHost:
            host = None
        if host is None or not _host(host):
            return BAD_HOST
        there = location(host, self.port, head)
        return BAD_REQUEST if there is None else moved(there)

    def __str__(self) -> str:
        return "a redirect to https" if self.port == HTTPS else f"a redirect to https:{self.port}"


def location(host: bytes, port: int, head: Head) -> bytes | None:
    """The URI of the same request by TLS; None where it has no path. What a URI must not hold is percent-encoded."""
    target = head.target
    absolute = _scheme_and_host(target)
    if absolute is not None:
        target = target[absolute.end() :]
        if not target.startswith(b"/"):
            target = b"/" + target
    if not target.startswith(b"/"):
        return None  # OPTIONS * and CONNECT
    authority = host if port == HTTPS else b"%s:%d" % (host, port)
    return b"https://%s%s" % (authority, _unsafe(_encoded, target))


def _encoded(found: re.Match[bytes]) -> bytes:
    return b"%%%02X" % found[0][0]
