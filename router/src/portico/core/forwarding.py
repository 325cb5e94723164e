"""Rewrite heads for the next hop: what was meant for this connection only goes out, who the client is comes in.

RFC 9110 section 7.6.1: `Connection`, the fields that it names, and the hop-by-hop fields of old end here. `Upgrade` goes on
with a request for it, `TE: trailers` goes on, and `Transfer-Encoding` is said anew in its one sound form.

The last address in `X-Forwarded-For` is the one that the router itself has seen; what stands before it is the client's word.
Variants with underscores are dropped, because many servers read `X_Forwarded_For` as the same field.
"""

from .body import CHUNKED
from .framing import RequestFrame, ResponseFrame
from .head import Head
from .response import ResponseHead

__all__ = ["request_fields", "response_head"]

_HOP = frozenset((b"connection", b"keep-alive", b"proxy-connection"))
_REQUEST_HOP = _HOP | {b"te", b"transfer-encoding", b"upgrade", b"http2-settings"}
_REQUEST_OURS = frozenset((b"x-forwarded-for", b"x-forwarded-proto"))
_RESPONSE_HOP = _HOP | {b"upgrade"}
UPGRADE_REQUIRED = 426


def request_fields(head: Head, frame: RequestFrame, client: bytes, scheme: bytes) -> bytes:
    """The request's fields as the server gets them, with the empty line after them."""
    drop = _REQUEST_HOP | frame.named
    if frame.upgrade:
        drop -= {b"upgrade"}
    kept, addresses = [], []
    for line in head.fields.splitlines(True):
        name, _, value = line.partition(b":")
        name = name.lower()
        if name.replace(b"_", b"-") in _REQUEST_OURS:
            if name == b"x-forwarded-for" and name not in drop:
                addresses.append(value.strip(b" \t\r\n"))
        elif name not in drop:
            kept.append(line)
    options = []
    if frame.upgrade:
        options.append(b"upgrade")
    if frame.trailers:
        options.append(b"TE")
        kept.append(b"TE: trailers\r\n")
    if options:
        kept.append(b"Connection: %b\r\n" % b", ".join(options))
    if frame.length == CHUNKED:
        kept.append(b"Transfer-Encoding: chunked\r\n")
    addresses.append(client)
    kept.append(b"X-Forwarded-For: %b\r\nX-Forwarded-Proto: %b\r\n\r\n" % (b", ".join(addresses), scheme))
    return b"".join(kept)


def response_head(wire: bytes, head: ResponseHead, frame: ResponseFrame, close: bool) -> bytes:
    """The response's head as the client gets it; `wire` begins with the head as it came, `close` says it is the last one."""
    if frame.named is None and head.minor and not close:
        return wire[: head.end]
    drop = _RESPONSE_HOP | (frame.named or frozenset())
    options = []
    if head.status == UPGRADE_REQUIRED:
        drop -= {b"upgrade"}
        options.append(b"upgrade")
    if close:
        options.append(b"close")
    kept = [b"HTTP/1.1", wire[8 : wire.index(b"\r\n") + 2]]
    kept += [line for line in head.fields.splitlines(True) if line.partition(b":")[0].lower() not in drop]
    kept.append(b"Connection: %b\r\n\r\n" % b", ".join(options) if options else b"\r\n")
    return b"".join(kept)
