"""A socket that is held, and the routers that use it."""

import socket

__all__ = ["MESSAGE", "Held", "Router", "answer"]

MESSAGE = 256
"""Bytes of a message, at most; a longer one ends the connection."""


class Held:
    """A listening socket and who uses it."""

    def __init__(self, sock: socket.socket, now: float) -> None:
        self.sock = sock
        self.users: set[Router] = set()
        self.unused_since = now


class Router:
    """A connected router."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.uses: set[str] = set()


def answer(router: Router, text: str, carried: socket.socket | None = None) -> bool:
    """Send it; False if it does not go out, as the router does not read or is gone."""
    packet = text.encode("ascii", "replace")[:MESSAGE]
    try:
        if carried is None:
            router.sock.send(packet)
        else:
            socket.send_fds(router.sock, [packet], [carried.fileno()])
    except OSError:
        return False
    return True
