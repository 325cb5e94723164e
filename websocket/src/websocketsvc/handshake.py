"""The opening handshake, server side (RFC 6455 section 4.2), without input or output.

A request goes through three steps, each of which may end in a `Refusal` (see `refusals.py`), an ordinary value:

    HeadReader        bytes, as they come  ->  the head, and what follows it
    parse_request     the head             ->  a Request: any HTTP request (RFC 9112)
    check_upgrade     the Request          ->  a Handshake: a valid one of version 13

What comes out is written anew (`Handshake.encode`) for the toolkit that goes on with it. Its own parser, which may be more
lenient, never sees a head that was not understood here in full.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass

from svckit.paths import BadTarget, normalise

from .refusals import Refusal

__all__ = ["Handshake", "HeadReader", "Request", "check_upgrade", "parse_request"]

VERSION = "13"
_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_REQUEST_LINE = re.compile(rf"({_WORD}) ([!-~]+) HTTP/([0-9]\.[0-9])").fullmatch
_NAME = re.compile(_WORD).fullmatch
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]").search

_SPELLING = {
    "host": "Host",
    "upgrade": "Upgrade",
    "connection": "Connection",
    "sec-websocket-version": "Sec-WebSocket-Version",
    "sec-websocket-key": "Sec-WebSocket-Key",
    "origin": "Origin",
}


class HeadReader:
    """Finds the end of a request head in bytes that come in pieces; looks at each byte once."""

    def __init__(self, limit: int) -> None:
        """`limit`: bytes in the head, its empty line included."""
        self._limit = limit
        self._buffer = bytearray()

    def feed(self, data: bytes) -> tuple[bytes, bytes] | Refusal | None:
        """The head without its empty line and what followed it, 431 where it is too large, or None: more is needed."""
        start = max(len(self._buffer) - 3, 0)
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n", start)
        if (end + 4 if end >= 0 else len(self._buffer)) > self._limit:
            return Refusal(431, f"A request head may have {self._limit} bytes.")
        if end < 0:
            return None
        return bytes(self._buffer[:end]), bytes(self._buffer[end + 4 :])


@dataclass(frozen=True, slots=True)
class Request:
    """A well-formed request without a body."""

    method: str
    target: str
    """As on the request line."""
    path: bytes
    """In the normal form that the router saw too."""
    version: str
    fields: Mapping[str, list[str]]
    """Values of each field, in order, by its name in lower case (Latin-1)."""

    def tokens(self, name: str) -> list[str]:
        """The elements of a list field (RFC 9110 section 5.6.1), empty ones left out."""
        return [word for value in self.fields.get(name, ()) for element in value.split(",") if (word := element.strip(" \t"))]


def parse_request(head: bytes) -> Request | Refusal:
    """Read a request head; 400 for one that is malformed or announces a body, 505 for another HTTP."""
    first, *lines = head.decode("latin-1").split("\r\n")
    line = _REQUEST_LINE(first)
    if line is None:
        return Refusal(400, "The request line is malformed.")
    method, target, version = line.groups()
    if version != "1.1":
        return Refusal(505, "A WebSocket is opened with HTTP/1.1.")
    fields: dict[str, list[str]] = {}
    for text in lines:
        name, colon, value = text.partition(":")
        if not colon or not _NAME(name) or _CONTROL(value):
            return Refusal(400, "A header field is malformed.")
        fields.setdefault(name.lower(), []).append(value.strip(" \t"))
    if len(fields.get("host", ())) != 1:
        return Refusal(400, "A request has one Host field.")
    if "transfer-encoding" in fields or any(size != "0" for size in fields.get("content-length", ())):
        return Refusal(400, "The request that opens a WebSocket has no body.")
    try:
        path = normalise(target.encode("ascii"))
    except BadTarget as error:
        return Refusal(400, f"The request target is malformed: {error}.")
    return Request(method, target, path, version, fields)


@dataclass(frozen=True, slots=True)
class Handshake:
    """A request that opens a WebSocket."""

    request: Request
    key: str
    origin: str | None
    subprotocols: tuple[str, ...]
    """Offered by the client, in its order of preference."""
    user: str | None = None
    """Who has logged in, where the path wants a login."""

    def encode(self, more: bool = False, extensions: bool = False) -> bytes:
        """The request anew, with the fields that a handshake needs, each once.

        `more`: with the client's other fields as well; `extensions`: with what it offers by way of those, too.
        """
        fields = {
            "host": self.request.fields["host"][0],
            "upgrade": "websocket",
            "connection": "Upgrade",
            "sec-websocket-version": VERSION,
            "sec-websocket-key": self.key,
        }
        if self.origin is not None:
            fields["origin"] = self.origin
        if more:
            for name, values in self.request.fields.items():
                if name not in fields and (extensions or name != "sec-websocket-extensions"):
                    fields[name] = ("; " if name == "cookie" else ", ").join(values)
        lines = [f"{_SPELLING.get(name, name)}: {value}\r\n" for name, value in fields.items()]
        return f"GET {self.request.target} HTTP/1.1\r\n{''.join(lines)}\r\n".encode("latin-1")


def check_upgrade(request: Request, origins: frozenset[str] | None = None) -> Handshake | Refusal:
    """Judge an opening handshake (section 4.2.1) and its origin (section 10.2).

    `origins`: those allowed, in lower case, `null` among them where wanted; None allows all. A request without Origin is
    not a browser's and is let through: the field protects a user of a browser, not the service.
    """
    if request.method != "GET":
        return Refusal(405, "A WebSocket is opened with GET.", (("Allow", "GET"),))
    if "websocket" not in _lower(request, "upgrade") or "upgrade" not in _lower(request, "connection"):
        return _upgrade_required("This is a WebSocket: ask with Upgrade: websocket and Connection: Upgrade.")
    if request.fields.get("sec-websocket-version") != [VERSION]:
        return _upgrade_required(f"The WebSocket protocol spoken here is version {VERSION} (RFC 6455).")
    keys, found = request.fields.get("sec-websocket-key", []), request.fields.get("origin", [])
    if len(keys) != 1 or not _is_nonce(keys[0]):
        return Refusal(400, "A handshake has one Sec-WebSocket-Key: 16 bytes in base64.")
    if len(found) > 1:
        return Refusal(400, "A handshake has one Origin at most.")
    subprotocols = tuple(request.tokens("sec-websocket-protocol"))
    if len(set(subprotocols)) != len(subprotocols) or not all(map(_NAME, subprotocols)):
        return Refusal(400, "Sec-WebSocket-Protocol is a list of tokens, each once.")
    origin = found[0] if found else None
    if origin is not None and origins is not None and origin.lower() not in origins:
        return Refusal(403, "Pages of this origin may not connect.")
    return Handshake(request, keys[0], origin, subprotocols)


def _lower(request: Request, name: str) -> list[str]:
    return [word.lower() for word in request.tokens(name)]


def _upgrade_required(text: str) -> Refusal:
    return Refusal(426, text, (("Upgrade", "websocket"), ("Sec-WebSocket-Version", VERSION)))


def _is_nonce(key: str) -> bool:
    try:
        return len(key) == 24 and len(base64.b64decode(key, validate=True)) == 16
    except (binascii.Error, ValueError):
        return False
