"""Closing what a peer has sent that may be in a stranger's hands.

The last close(2) of a socket with SO_LINGER waits until its peer has read everything, for as long as SO_LINGER says, blocking
mode or not. The kernel does the same where it drops descriptors itself: those for which there is no room in a message, and
those that lie in a link which is closed. So no descriptor from a stranger may be closed as it is, and no link with some in it.
"""

import contextlib
import os
import socket
import struct
from _socket import socket as RawSocket

__all__ = ["discard"]

_AT_ONCE = struct.pack("ii", 0, 0)
_SOL_SOCKET, _SO_LINGER = int(socket.SOL_SOCKET), int(socket.SO_LINGER)


def discard(descriptor: int) -> None:
    """Close a descriptor of which nothing is known, without waiting. A connection is not shut down, it may be somebody's."""
    try:
        sock = RawSocket(socket.AF_INET, socket.SOCK_STREAM, 0, descriptor)
    except OSError:  # no socket, or in a state that nobody expects
        os.close(descriptor)
        return
    with contextlib.suppress(OSError):
        sock.setsockopt(_SOL_SOCKET, _SO_LINGER, _AT_ONCE)
    sock.close()
