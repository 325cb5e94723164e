"""What a client gets from the router itself, when something is wrong. Errors are values, each with the answer it stands for.

`docs/errors.md` lists them for the people who meet them.
"""

from typing import NamedTuple

from .termination import (
    CLIENT,
    CLIENT_TIME,
    CONNECT,
    LOCAL,
    OPERATOR,
    QUEUE,
    REQUEST,
    RESOURCE,
    RESPONSE,
    ROUTER,
    SERVER,
    SERVER_TIME,
)

__all__ = [
    "BAD_FRAMING",
    "BAD_GATEWAY",
    "BAD_HOST",
    "BAD_PROXY",
    "BAD_REQUEST",
    "BAD_RESPONSE",
    "CROWDED",
    "DRAINED",
    "GATEWAY_TIMEOUT",
    "HANDSHAKE_TIMEOUT",
    "HEAD_TIMEOUT",
    "HEAD_TOO_LARGE",
    "LEFT",
    "LEFT_QUEUE",
    "MANY_FIELDS",
    "MISDIRECTED",
    "NOT_HTTP",
    "NO_ANSWER",
    "NO_DESCRIPTORS",
    "NO_HANDSHAKE",
    "NO_REPLICA",
    "NO_RESOURCE",
    "NO_RESPONSE",
    "NO_ROUTE",
    "QUEUE_DRAINED",
    "QUEUE_FULL",
    "SILENT",
    "STRANGE",
    "STRANGE_AND_SILENT",
    "TOO_MANY",
    "TOO_MANY_CLOSED",
    "TWICE",
    "VERSION",
    "Answer",
    "moved",
]

RETRY_AFTER = 2
"""Seconds that a client is asked to wait when a service has no replica, or the client too many connections."""


class Answer(NamedTuple):
    """A final answer; the connection closes after it. `status` 0 with no bytes: closed without a word."""

    status: int
    why: str
    wire: bytes
    ended: str = ROUTER + REQUEST
    """Who ended the connection and when (`core.termination`), for the access log."""


def _answer(status: int, phrase: str, why: str, extra: str = "", ended: str = ROUTER + REQUEST) -> Answer:
    body = f"{status} {phrase}: {why}.\n"
    head = (
        f"HTTP/1.1 {status} {phrase}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {len(body)}\r\n"
        f"Cache-Control: no-store\r\n{extra}Connection: close\r\n\r\n"
    )
    return Answer(status, why, (head + body).encode("ascii"), ended)


def _unavailable(why: str, ended: str) -> Answer:
    return _answer(503, "Service Unavailable", why, f"Retry-After: {RETRY_AFTER}\r\n", ended)


def moved(location: bytes) -> Answer:
    """Sends the client to `location`, an ASCII URI, for good; with the same method and body (RFC 9110 section 15.4.9)."""
    extra = f"Location: {location.decode('ascii')}\r\n"
    return _answer(308, "Permanent Redirect", "the same is there over TLS", extra, LOCAL + REQUEST)


BAD_REQUEST = _answer(400, "Bad Request", "the request line or a header is malformed")
BAD_FRAMING = _answer(400, "Bad Request", "it is ambiguous where the request ends")
BAD_HOST = _answer(400, "Bad Request", "the Host field is missing, repeated, malformed, or not that of the target")
NO_ROUTE = _answer(404, "Not Found", "no service owns this path")
HEAD_TIMEOUT = _answer(408, "Request Timeout", "the request's head did not arrive in time", ended=CLIENT_TIME + REQUEST)
MISDIRECTED = _answer(421, "Misdirected Request", "this connection cannot be put through to the service of that path")
STRANGE = _answer(421, "Misdirected Request", "it cannot be told where this connection came from")
TOO_MANY = _answer(
    429, "Too Many Requests", "this client has as many connections as it may have", f"Retry-After: {RETRY_AFTER}\r\n"
)
TOO_MANY_CLOSED = Answer(0, TOO_MANY.why, b"")
"""The same where the client does not speak HTTP, or has not begun to."""
HEAD_TOO_LARGE = _answer(431, "Request Header Fields Too Large", "the request's head is larger than this server takes")
MANY_FIELDS = _answer(431, "Request Header Fields Too Large", "the request has more header fields than this server takes")
BAD_GATEWAY = _answer(502, "Bad Gateway", "the service refused the connection", ended=SERVER + CONNECT)
NO_RESOURCE = _answer(502, "Bad Gateway", "no connection to the service could be made", ended=RESOURCE + CONNECT)
BAD_RESPONSE = _answer(502, "Bad Gateway", "the service's response is malformed", ended=ROUTER + RESPONSE)
NO_RESPONSE = _answer(502, "Bad Gateway", "the service ended the connection without a response", ended=SERVER + RESPONSE)
NO_REPLICA = _unavailable("the service has no replica now", SERVER_TIME + QUEUE)
QUEUE_FULL = _unavailable("too many wait for the service", ROUTER + QUEUE)
QUEUE_DRAINED = _unavailable("the server is going down", OPERATOR + QUEUE)
GATEWAY_TIMEOUT = _answer(
    504, "Gateway Timeout", "the service did not accept the connection in time", ended=SERVER_TIME + CONNECT
)
NO_ANSWER = _answer(504, "Gateway Timeout", "the service did not answer in time", ended=SERVER_TIME + RESPONSE)
VERSION = _answer(505, "HTTP Version Not Supported", "this server speaks HTTP/1.1 and HTTP/1.0")
BAD_PROXY = Answer(0, "no sound PROXY header from a sender that must send one", b"")
NOT_HTTP = Answer(0, "not HTTP, and nothing else matches", b"")
CROWDED = Answer(0, "as many TLS clients as there may be", b"")
NO_HANDSHAKE = Answer(0, "no sound TLS handshake in time", b"")
NO_DESCRIPTORS = Answer(0, "no descriptor was left for a TLS client", b"", RESOURCE + REQUEST)
HANDSHAKE_TIMEOUT = NO_HANDSHAKE._replace(ended=CLIENT_TIME + REQUEST)
STRANGE_AND_SILENT = STRANGE._replace(status=0, wire=b"")
TWICE = Answer(0, "a service has handed back a connection that the router has already", b"")
SILENT = Answer(0, "the client sent nothing", b"", CLIENT_TIME + REQUEST)
DRAINED = Answer(0, "the server is going down", b"", OPERATOR + REQUEST)
LEFT_QUEUE = Answer(0, "the client left while it waited for a replica", b"", CLIENT + QUEUE)
LEFT = Answer(0, "the client left before its request was whole", b"", CLIENT + REQUEST)
