"""The heads of requests and responses, as far as one must know them to see where an exchange ends (RFC 9112).

A request's head is read as strictly as the router reads the first one: CRLF only, no folding, no blank before a colon, one
length, no length beside `Transfer-Encoding`, no coding but `chunked`, none in HTTP/1.0.
"""

import re
from typing import NamedTuple

from ...hosts import is_host
from ...refusals import BAD_REQUEST, BAD_VERSION, TOO_LARGE
from .body import CHUNKED, UNTIL_CLOSE, BadFraming

__all__ = ["HEAD_SIZE", "TUNNEL", "Request", "Response", "end_of_head", "read_request", "read_response"]

HEAD_SIZE = 16_384
"""Bytes of a request's head."""
MOST_FIELDS = 128
"""Header fields of a second or later request."""
TUNNEL = -3
"""As a response's length: what follows is no HTTP any more."""

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
_TEXT = rb"[\t\x20-\x7e\x80-\xff]*+"
_request = re.compile(
    rb"(" + _TOKEN + rb") ([\x21-\x7e\x80-\xff]++) HTTP/([0-9]\.[0-9])\r\n((?:" + _TOKEN + rb":" + _TEXT + rb"\r\n)*+)\r\n"
).fullmatch
_response = re.compile(rb"HTTP/1\.([01]) ([0-9]{3})[^\r\n]*\r\n((?:[^\r\n]+\r\n)*)\r\n").fullmatch
_fields = re.compile(rb"\n(connection|content-length|transfer-encoding):([^\r]*)").findall
_hosts = re.compile(rb"\nhost:([^\r]*)").findall
_length = re.compile(rb"[0-9]{1,18}").fullmatch


class Request(NamedTuple):
    """What a request's head says of its exchange."""

    method: bytes
    target: bytes
    length: int
    """Bytes of its body, or CHUNKED."""
    persistent: bool
    """The client means to go on with this connection."""


class Response(NamedTuple):
    """What a response's head says of its exchange."""

    status: int
    length: int
    """Bytes of its body, or CHUNKED, UNTIL_CLOSE, TUNNEL."""
    persistent: bool
    """The server will take another request on this connection."""


def end_of_head(unread: bytearray) -> int:
    """Where the head of the next request ends; 0: not whole yet; -1: too large. Empty lines before it are cut off."""
    while unread.startswith(b"\r\n"):  # RFC 9112 section 2.2
        del unread[:2]
    end = unread.find(b"\r\n\r\n", 0, HEAD_SIZE)
    if end >= 0:
        return end + 4
    return -1 if len(unread) >= HEAD_SIZE else 0


def read_request(head: bytes, first: bool = False) -> Request | bytes:
    """What the head of a request (with its empty line) says, or the answer that refuses it.

    The router has seen to the fields of the `first` one of a connection, within limits of its own.
    """
    found = _request(head)
    if found is None:
        return BAD_REQUEST
    method, target, version, fields = found.groups()
    if version not in (b"1.1", b"1.0"):
        return BAD_VERSION
    if not first:
        if fields.count(b"\n") > MOST_FIELDS:
            return TOO_LARGE
        hosts = _hosts(b"\n" + fields.lower())
        if not (is_host(hosts[0].strip(b" \t")) if len(hosts) == 1 else not hosts and version == b"1.0"):
            return BAD_REQUEST
    named = _look(fields)
    try:
        length = _length_of(named, version == b"1.1")
    except BadFraming:
        return BAD_REQUEST
    return Request(method, target, 0 if length is None else length, _persistent(named, version == b"1.1"))


def read_response(head: bytes, method: bytes) -> Response:
    """What the head of the response to a `method` request says.

    Raises:
        BadFraming: its end cannot be told; the server is at fault.
    """
    found = _response(head)
    if found is None:
        raise BadFraming("not the head of a response")
    named, status = _look(found[3]), int(found[2])
    length = _length_of(named, True)
    persistent = _persistent(named, found[1] == b"1")
    if status == 101 or (method == b"CONNECT" and status // 100 == 2):
        return Response(status, TUNNEL, False)
    if method == b"HEAD" or status < 200 or status in (204, 304):
        return Response(status, 0, persistent)
    return Response(status, UNTIL_CLOSE if length is None else length, persistent and length is not None)


def _look(fields: bytes) -> dict[bytes, bytes]:
    """The fields that matter; repeating one means a comma, and makes a length unsound."""
    named: dict[bytes, bytes] = {}
    for name, value in _fields(b"\n" + fields.lower()):
        value = value.strip(b" \t")
        named[name] = named[name] + b"," + value if name in named else value
    return named


def _length_of(named: dict[bytes, bytes], may_be_chunked: bool) -> int | None:
    length, coding = named.get(b"content-length"), named.get(b"transfer-encoding")
    if coding is not None:
        if coding != b"chunked" or length is not None or not may_be_chunked:
            raise BadFraming("a transfer coding that is ambiguous")
        return CHUNKED
    if length is None:
        return None
    if _length(length) is None:
        raise BadFraming("a length that is none")
    return int(length)


def _persistent(named: dict[bytes, bytes], by_default: bool) -> bool:
    options = {each.strip(b" \t") for each in named.get(b"connection", b"").split(b",")}
    return b"close" not in options if by_default else b"keep-alive" in options
