"""Bytes that go straight into a socket, past the transport's buffer and a turn of the reactor."""

from typing import Any

from twisted.internet import tcp

__all__ = ["send", "takes_at_once"]


def takes_at_once(transport: Any) -> bool:
    """Whether it is a plain socket with nothing on its way out."""
    return not (
        not isinstance(transport, tcp.Connection)
        or transport.TLS
        or not transport.connected
        or transport.disconnecting
        or transport._tempDataBuffer
        or len(transport.dataBuffer) > transport.offset
    )


def send(transport: Any, data: bytes, flags: int = 0) -> int:
    """How many bytes of `data` the socket of `transport`, which takes them at once, has taken."""
    try:
        sent: int = transport.socket.send(data, flags)
    except OSError:
        return 0  # full, or broken: the transport finds out when it writes
    return sent
