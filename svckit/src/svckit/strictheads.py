"""Heads of requests, read line by line as strictly as the router reads the first one of a connection."""

import re

from .hosts import is_host
from .refusals import BAD_REQUEST, BAD_VERSION, TOO_LARGE

__all__ = ["HEAD_SIZE", "MOST_FIELDS", "StrictHead"]

HEAD_SIZE = 16_384
"""Bytes of a request's head, also of the first one: twisted.web reads no larger ones."""
MOST_FIELDS = 128
"""Header fields of a second or later request; for the first one the router has a limit."""

_sound_field = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++:[\t\x20-\x7e\x80-\xff]*+\Z").match
_request_line = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++ [\x21-\x7e\x80-\xff]++ HTTP/([0-9]\.[0-9])\Z").match


class StrictHead:
    """The head that is being read; each line may have a refusal, which is a whole answer."""

    __slots__ = ("_fields", "_hosts", "_needs_host", "_of_router", "_size")

    def begin(self, line: bytes, of_router: bool) -> bytes | None:
        """The request line; `of_router`: the router has read this head, and has seen to its Host and how many fields it has."""
        found = _request_line(line)
        if found is None or found[1] not in (b"1.1", b"1.0"):
            return BAD_REQUEST if found is None else BAD_VERSION
        self._of_router, self._fields, self._needs_host = of_router, 0, found[1] == b"1.1"
        self._size = len(line) + 4  # with its end, and the empty line
        self._hosts: list[bytes] = []
        return None

    def field(self, line: bytes) -> bytes | None:
        """A header field."""
        if not _sound_field(line):
            return BAD_REQUEST
        self._fields += 1
        self._size += len(line) + 2
        if line[:5].lower() == b"host:":
            self._hosts.append(line[5:].strip(b" \t"))
        if not self._needs_host and line[:18].lower() == b"transfer-encoding:":
            return BAD_REQUEST  # RFC 9112 section 6.1: HTTP/1.0 has no such thing, so where the request ends is in doubt
        many = self._fields > MOST_FIELDS and not self._of_router
        return TOO_LARGE if many or self._size > HEAD_SIZE else None

    def end(self) -> bytes | None:
        """The empty line: one sound Host field; HTTP/1.0 may have none (RFC 9112 section 3.2)."""
        hosts = self._hosts
        sound = is_host(hosts[0]) if len(hosts) == 1 else not (hosts or self._needs_host)
        return None if sound or self._of_router else BAD_REQUEST
