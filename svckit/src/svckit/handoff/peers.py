"""Who is at the other end of a link, as the kernel says (SO_PEERCRED): a process cannot lie about its user.

A user of another user namespace, who has no number in ours, shows as 65534.
"""

import os
import socket
import struct

__all__ = ["OVERFLOW", "NotTheRouter", "let_in", "uid_of_peer"]

OVERFLOW = 65_534
"""Stands for every user of whom this user namespace knows nothing."""
_ucred = struct.Struct("iII")


def uid_of_peer(link: socket.socket) -> int:
    """The user id of the process that has connected, or listens, at the other end."""
    uid: int = _ucred.unpack(link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _ucred.size))[1]
    return uid


class NotTheRouter(Exception):
    """Somebody wants to link who is not the router."""

    def __init__(self, uid: int, router: int) -> None:
        super().__init__(f"user {uid} wants to link, and the router's is {router}: refused")
        self.uid, self.router = uid, router


def let_in(listener: socket.socket, router: int | None) -> socket.socket:
    """Accept a link to a replica, from the user `router` or our own, who asks whether we are well; None: from anybody.

    Raises:
        NotTheRouter: it was somebody else, and is closed.
        OSError: as accept(2) says.
    """
    sock, _ = listener.accept()
    uid = uid_of_peer(sock)
    if router is not None and uid not in (router, os.getuid()):
        sock.close()
        raise NotTheRouter(uid, router)
    return sock
