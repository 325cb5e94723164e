"""How the addresses of listening sockets and of the keeper are written."""

import re

__all__ = ["Address", "at_of", "name_of", "unix_name"]

Address = tuple[str, int]
"""Numeric host and port."""

_at = re.compile(r"(?:\[([0-9A-Fa-f:.%\w]+)\]|([^\[\]: ]+)):(\d{1,5})", re.ASCII).fullmatch


def name_of(at: Address) -> str:
    """`HOST:PORT`, or `[HOST]:PORT` for IPv6."""
    host, port = at
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def at_of(name: str) -> Address:
    """The reverse of `name_of`.

    Raises:
        ValueError: it is no such name.
    """
    found = _at(name)
    if found is None or int(found[3]) > 65_535:
        raise ValueError(f"expected HOST:PORT, found {name!r}")
    return found[1] or found[2], int(found[3])


def unix_name(address: str) -> str:
    """A Unix socket's name for the kernel: `@name` is an abstract one (unix(7)), anything else a path."""
    return f"\0{address[1:]}" if address.startswith("@") else address
