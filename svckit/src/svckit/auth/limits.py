"""What the auth service and those who ask it have agreed on: names, sizes and times.

An AMP value has at most 65,535 bytes; every limit here stays well below that, so no request can be too large for the wire.
"""

__all__ = ["MAX_CLIENT", "MAX_CNONCE", "MAX_METHOD", "MAX_PASSWORD", "MAX_REALM", "MAX_URI", "MAX_USER", "NONCE_LIFETIME"]

MAX_CLIENT = 64
"""Bytes of a client's address, as text."""

MAX_USER = 255
"""Bytes of a user's name, in UTF-8."""

MAX_PASSWORD = 1024
"""Bytes of a password, in UTF-8."""

MAX_REALM = 255
"""Bytes of a realm."""

MAX_METHOD = 64
"""Bytes of an HTTP method."""

MAX_URI = 8192
"""Bytes of a request target. It fits into an Authorization header only if it is shorter still."""

MAX_CNONCE = 256
"""Bytes of a client's nonce."""

NONCE_LIFETIME = 300.0
"""Seconds for which a nonce is good; a client that comes later gets a new one and need not ask its user."""
