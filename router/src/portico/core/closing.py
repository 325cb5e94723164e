"""Make a request the last one on its connection: `Connection: close` for a tcp target that must not be asked a second time.

A server that reads it closes after its answer, and the client opens a new connection, which the router routes anew. A request
to upgrade keeps its upgrade: `Connection: close, upgrade` still switches protocols (RFC 9110 section 7.8), and closes where
the server declines.
"""

import re

from .head import Head

__all__ = ["closing_head"]

_hop_fields = re.compile(rb"^(?:connection|proxy-connection|keep-alive):.*\r\n", re.IGNORECASE | re.MULTILINE).sub
_upgrades = re.compile(rb"^connection:(?:[^\r\n]*,)?[ \t]*upgrade[ \t]*[,\r]", re.IGNORECASE | re.MULTILINE).search


def closing_head(preface: bytes, head: Head) -> bytes:
    """The preface with its head rewritten; everything after the head stays as it is."""
    connection = b"Connection: close, upgrade\r\n" if _upgrades(head.fields) else b"Connection: close\r\n"
    line = b"%s %s HTTP/1.%d\r\n" % (head.method, head.target, head.minor)
    return b"".join((line, _hop_fields(b"", head.fields), connection, b"\r\n", preface[head.end :]))
