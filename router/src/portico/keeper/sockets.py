"""Sockets that listen: those that are lent, and the one at which routers come."""

import errno
import os
import socket
import stat

from .names import Address, name_of, unix_name

__all__ = ["DEFER_ACCEPT", "listen", "listen_unix"]

BACKLOG = 4_096
"""Connections that the kernel queues for a socket (its own limit, net.core.somaxconn, may be lower)."""
DEFER_ACCEPT = 1
"""Seconds for which the kernel holds back a connection that sends nothing, rounded up to a step of its own."""


def listen(at: Address) -> socket.socket:
    """A listening TCP socket, non-blocking; `::` takes IPv4 too.

    Raises:
        OSError: the port cannot be had; the text names it.
    """
    family = socket.AF_INET6 if ":" in at[0] else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # inherited: saves a call for each connection
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, DEFER_ACCEPT)
        sock.bind(at)
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        raise OSError(error.errno, f"cannot listen on {name_of(at)}: {error.strerror or error}") from None
    return sock


def listen_unix(address: str, mode: int, backlog: int) -> socket.socket:
    """A listening Unix socket, non-blocking, whose file has `mode`; one that a dead keeper has left is replaced.

    Raises:
        OSError: the address cannot be had; the text names it.
    """
    name = unix_name(address)
    if not address.startswith("@") and _is_dead(name):
        os.unlink(name)  # noqa: PTH108
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
    before = os.umask(0o777 & ~mode)
    try:
        sock.bind(name)
        sock.listen(backlog)
    except OSError as error:
        sock.close()
        raise OSError(error.errno, f"{address}: {error.strerror or error}") from None
    finally:
        os.umask(before)
    return sock


def _is_dead(path: str) -> bool:
    """Whether a socket is at `path` at which nobody listens."""
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            return False
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK) as probe:
            probe.connect(path)
    except OSError as error:
        return error.errno == errno.ECONNREFUSED
    return False
