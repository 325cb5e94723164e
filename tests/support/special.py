"""Header fields that no quick way takes, whatever the method: each is about the message, the connection, or is none at all."""

__all__ = ["SPECIAL"]

SPECIAL = (
    "Transfer-Encoding: chunked",
    "Content-Length: 3",
    "Expect: 100-continue",
    "Connection: close",
    "Connection: Upgrade",
    "Upgrade: h2c",
    "Host: y",
    " folded: x",
    "no colon",
    "Bad Name: x",
)
"""Behind a head that has a Host already, and a Content-Length where its method wants one."""
