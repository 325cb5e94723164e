"""Reading from a client that may have nothing to say just now."""

import socket
from _socket import socket as RawSocket

__all__ = ["what_came"]

_DONTWAIT = int(socket.MSG_DONTWAIT)


def what_came(sock: RawSocket, most: int) -> bytes | None:
    """What has come, up to `most` bytes; empty where the client has ended its side or is gone, None where nothing has come."""
    try:
        return sock.recv(most, _DONTWAIT)
    except (BlockingIOError, InterruptedError):
        return None
    except OSError:
        return b""
