"""The socket of a connection that a router has handed over."""

import socket

from .codec import Connection

__all__ = ["socket_of"]

_STREAM, _TCP = int(socket.SOCK_STREAM), int(socket.IPPROTO_TCP)


def socket_of(connection: Connection, descriptor: int) -> socket.socket:
    """The socket, which `descriptor` belongs to from now on; it is as blocking as Python's are when they are made.

    Python asks the kernel for its type and protocol, unless it is told: the wire says that it is TCP, or for TLS the end of a
    socket pair. The family is asked for, as a client by IPv4 may have come to a port of IPv6.

    Raises:
        OSError: it is no socket; the descriptor is still the caller's.
    """
    return socket.socket(-1, _STREAM, _TCP if connection.tls is None else 0, descriptor)
