"""Who is at the other end of a link, as the kernel says (SO_PEERCRED): a process cannot lie about its user.

A user of another user namespace, who has no number in ours, shows as 65534.
"""

import socket
import struct

__all__ = ["OVERFLOW", "uid_of_peer"]

OVERFLOW = 65_534
"""Stands for every user of whom this user namespace knows nothing."""
_ucred = struct.Struct("iII")


def uid_of_peer(link: socket.socket) -> int:
    """The user id of the process that has connected, or listens, at the other end."""
    uid: int = _ucred.unpack(link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _ucred.size))[1]
    return uid
