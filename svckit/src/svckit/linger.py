"""How long a client that has got its last answer may go on before its connection is closed (RFC 9112 section 9.6).

A socket closed with unread bytes in it is reset, and that may eat the answer.
"""

__all__ = ["LINGER_BYTES", "LINGER_TIME"]

LINGER_TIME = 2.0
"""Seconds that a refused client has to end its side, once the answer is out."""
LINGER_BYTES = 1 << 20
"""Bytes of such a client's that are read away at most."""
