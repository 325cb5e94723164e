"""What may stand in a Host field (RFC 9112 section 3.2): router and services go by the same expression."""

import re

__all__ = ["HOST", "is_host"]

HOST = rb"(\[[0-9A-Fa-f:.]++\]|[^\s:\[\]@/?#,\\]*+)(?::[0-9]*+)?+"
"""A name or an address, perhaps none, and a port where one is named; the group is what stands before the port."""

_host = re.compile(HOST).fullmatch


def is_host(value: bytes) -> bool:
    """Whether `value`, without white space around it, is one. An empty one is: it says that the target has no authority."""
    return _host(value) is not None
