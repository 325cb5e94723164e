"""How addresses are written: `host:port`, and for the operators also `unix:PATH`."""

from pathlib import Path

from .arrival import Address

__all__ = ["LONGEST_PATH", "UNIX", "address", "admin_address"]

UNIX = "unix:"
LONGEST_PATH = 107
"""Bytes of a Unix socket's path (unix(7))."""


def address(text: str) -> Address:
    """`host:port` or `[host]:port` in its two parts.

    Raises:
        ValueError: it is neither.
    """
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        host = ""
    if not colon or not host or not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise ValueError(f"expected host:port or [host]:port, found {text!r}")
    return host, int(port)


def admin_address(text: str) -> Address | Path:
    """The operators' port: an address, or the path of `unix:PATH`.

    Raises:
        ValueError: it is neither.
    """
    if not text.startswith(UNIX):
        try:
            return address(text)
        except ValueError:
            raise ValueError(f"expected host:port, [host]:port or unix:PATH, found {text!r}") from None
    path = text.removeprefix(UNIX)
    if not path or "\0" in path or len(path.encode("utf-8", "surrogateescape")) > LONGEST_PATH:
        raise ValueError(f"expected unix: and a path of up to {LONGEST_PATH} bytes, found {text!r}")
    return Path(path)
