"""Would a client take what it got for a whole response? For the comparison alone: no code of the router's is used."""

import re

from .routers import Seen

__all__ = ["is_complete", "passed_on"]

OWN_WORDS = (0, 502, 504)
"""Statuses that no case has: what a router says when it does not pass a response on, and 0 for nothing."""
WITHOUT_BODY = (204, 304)
_size = re.compile(rb"([0-9A-Fa-f]{1,15})(?:;[^\r\n]*)?\r\n").match


def passed_on(seen: Seen) -> bool:
    """Whether the client got a whole response, and it was the server's."""
    return seen.status not in OWN_WORDS and is_complete(seen)


def is_complete(seen: Seen) -> bool:
    """Whether the response ends as its head says, by a strict reading; one that ends with the connection has ended."""
    head, blank, body = seen.answer.partition(b"\r\n\r\n")
    if not blank:
        return False
    fields: dict[bytes, list[bytes]] = {}
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        fields.setdefault(name.lower(), []).append(value.strip())
    codings, lengths = fields.get(b"transfer-encoding"), fields.get(b"content-length")
    if seen.status in WITHOUT_BODY:
        return not body
    if codings:
        return codings == [b"chunked"] and not lengths and _all_chunks(body)
    if lengths:
        return len(lengths) == 1 and lengths[0].isdigit() and len(body) == int(lengths[0])
    return seen.ended


def _all_chunks(body: bytes) -> bool:
    """Whether it is a chunked body from its first to its last byte; a trailer is not looked at closely."""
    at = 0
    while line := _size(body, at):
        end = line.end() + int(line[1], 16)
        if end == line.end():
            return body[end:] == b"\r\n" or body.endswith(b"\r\n\r\n")
        if body[end : end + 2] != b"\r\n":
            return False
        at = end + 2
    return False
