"""What an auth service says of those whom it does not let in."""

from svckit.auth import NoEntry

__all__ = ["REFUSALS"]

CHALLENGES = ((b"WWW-Authenticate", b'Digest realm="portico", nonce="n"'), (b"WWW-Authenticate", b'Basic realm="portico"'))
REFUSALS = {
    401: NoEntry(401, "Unauthorized", CHALLENGES),
    403: NoEntry(403, "Forbidden"),
    429: NoEntry(429, "Too many wrong logins", ((b"Retry-After", b"17"),)),
    503: NoEntry(503, "No auth service answers", ((b"Retry-After", b"2"),)),
}
"""By status."""
