"""Decide from a head how its message ends (RFC 9112 section 6.3), and what of it is meant for this hop only.

A message whose end can be read in two ways is never forwarded, whatever the RFC would let a lenient reader do: two lengths,
also equal ones, a length beside `Transfer-Encoding`, any coding but `chunked`, chunked in HTTP/1.0, framing fields that the
`Connection` field names. The answer is 400, or 502 where it was the server's.

Only the fields that matter here are looked at, in one pass. Repeated ones are joined by a comma, which is what repeating
means (RFC 9110 section 5.3), and what makes a repeated length or host unsound.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

from .answers import BAD_FRAMING, BAD_HOST, BAD_RESPONSE, Answer
from .body import CHUNKED, UNTIL_CLOSE
from .head import Head
from .response import ResponseHead

__all__ = ["TUNNEL", "RequestFrame", "ResponseFrame", "frame_request", "frame_response", "host_agrees"]

TUNNEL = -3
"""As a response's length: what follows is no HTTP any more."""
NO_LENGTH = -4
"""As a length that was found: there is neither a length nor a coding."""
NO_BODY = (204, 304)
"""Statuses whose responses end with the head."""

_request_fields = re.compile(
    rb"\n(connection|content-length|host|keep-alive|proxy-connection|te|transfer-encoding|upgrade"
    rb"|x[-_]forwarded[-_](?:for|proto)):([^\r]*+)"
).findall
_response_fields = re.compile(
    rb"\n(connection|content-length|keep-alive|proxy-connection|transfer-encoding|upgrade):([^\r]*+)"
).findall
_length = re.compile(rb"[0-9]{1,18}").fullmatch
_host = re.compile(rb"[^\s,/?#@\\]*").fullmatch
_authority = re.compile(rb"[a-z][a-z0-9+.\-]*://([^/?#]*)").match
_http_again = re.compile(rb"(?:^|,)[ \t]*(?:h[23]|http|tls)").search

_ALWAYS_MEANT_FOR_ALL = (b"content-length", b"transfer-encoding", b"host")


class RequestFrame(NamedTuple):
    """How a request ends, and what it says about its connection."""

    length: int
    """Bytes of its body, or CHUNKED."""
    persistent: bool
    """The client means to go on with this connection."""
    upgrade: bool
    """It asks for another protocol than HTTP."""
    trailers: bool
    """It takes trailer fields (`TE: trailers`)."""
    named: frozenset[bytes]
    """Fields that its `Connection` field says are for this hop, in lower case."""
    host: bytes
    """The host that it names, in lower case."""


class ResponseFrame(NamedTuple):
    """How a response ends, and what it says about its connection."""

    length: int
    """Bytes of its body, or CHUNKED, UNTIL_CLOSE, TUNNEL."""
    persistent: bool
    """The server will take another request on this connection."""
    named: frozenset[bytes] | None
    """Fields that are for this hop; None: it has not a single hop-by-hop field, so it can go on as it is."""


def frame_request(head: Head) -> RequestFrame | Answer:
    """How the request ends, or the answer that refuses it. It hangs on the fields and the version, and on CONNECT."""
    found = _look(_request_fields, head.fields)
    host = found.get(b"host")
    if (host is None and head.minor) or not _host(host or b""):
        return BAD_HOST
    length = _length_of(found, head.minor)
    if length is None or (head.method == b"CONNECT" and length != NO_LENGTH):
        return BAD_FRAMING
    options = _list(found.get(b"connection", b""))
    if not options.isdisjoint(_ALWAYS_MEANT_FOR_ALL):
        return BAD_FRAMING
    upgrade = b"upgrade" in options and head.minor > 0 and _leaves_http(found.get(b"upgrade", b""))
    persistent = head.minor > 0 and b"close" not in options
    trailers = b"trailers" in _list(found.get(b"te", b""))
    return RequestFrame(0 if length == NO_LENGTH else length, persistent, upgrade, trailers, options, host or b"")


def host_agrees(target: bytes, host: bytes) -> bool:
    """Whether an absolute-form target (RFC 9112 section 3.2.2) names the same host as the Host field."""
    found = _authority(target.lower())
    return found is None or found[1] == host


def frame_response(head: ResponseHead, method: bytes, upgrade: bool) -> ResponseFrame | Answer:
    """How the response to a `method` request ends, or the answer that the client gets instead. `upgrade`: it was asked for."""
    found = _look(_response_fields, head.fields)
    length = _length_of(found, head.minor)
    if length is None:
        return BAD_RESPONSE
    status = head.status
    if status == 101 or (method == b"CONNECT" and status // 100 == 2):
        return ResponseFrame(TUNNEL, False, None) if upgrade or status != 101 else BAD_RESPONSE
    options = _list(found.get(b"connection", b""))
    if not options.isdisjoint(_ALWAYS_MEANT_FOR_ALL):
        return BAD_RESPONSE
    persistent = b"close" not in options if head.minor else b"keep-alive" in options
    if method == b"HEAD" or status < 200 or status in NO_BODY:
        # a server that sends the body it must not send would answer the next request with it
        persistent = persistent and (method == b"HEAD" or status == 304 or length in (0, NO_LENGTH))
        length = 0
    elif length == NO_LENGTH:
        length, persistent = UNTIL_CLOSE, False
    hops = found.keys() - {b"content-length", b"transfer-encoding"}
    return ResponseFrame(length, persistent, options if hops else None)


def _look(find: Callable[[bytes], list[tuple[bytes, bytes]]], fields: bytes) -> dict[bytes, bytes]:
    """The fields that matter, names and values in lower case."""
    found: dict[bytes, bytes] = {}
    for name, value in find(b"\n" + fields.lower()):
        value = value.strip(b" \t")
        found[name] = found[name] + b"," + value if name in found else value
    return found


def _length_of(found: dict[bytes, bytes], minor: int) -> int | None:
    """The length, CHUNKED, NO_LENGTH, or None where it is ambiguous."""
    length, coding = found.get(b"content-length"), found.get(b"transfer-encoding")
    if coding is not None:
        return CHUNKED if coding == b"chunked" and length is None and minor else None
    if length is None:
        return NO_LENGTH
    return int(length) if _length(length) else None


def _list(value: bytes) -> frozenset[bytes]:
    return frozenset(each.strip(b" \t") for each in value.split(b",")) - {b""}


def _leaves_http(protocols: bytes) -> bool:
    """Whether a switch is allowed: another HTTP, or TLS, would carry requests that nobody has routed."""
    return bool(protocols) and not _http_again(protocols)
