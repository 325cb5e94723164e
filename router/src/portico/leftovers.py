"""Links that have ended while their replica had not read all that was sent to it.

What lies unread in a replica's queue is on its way, as the kernel counts it: descriptors of the router's user, of whom there
may be no more on their way than RLIMIT_NOFILE, for all services together. The router cannot take them out again. So our end of
such a link stays open, shut in both directions, until the replica has read them or is gone; the service's count has them too.
"""

import fcntl
import socket
import struct
import termios

__all__ = ["Leftovers"]


class Leftovers:
    """Of one service."""

    def __init__(self) -> None:
        self._kept: list[tuple[socket.socket, int]] = []
        self.count = 0
        """Connections that are still on their way to replicas which have lost them."""

    def keep(self, sock: socket.socket, count: int) -> None:
        """Shut the link, and keep it as long as something lies in it."""
        try:
            sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            sock.close()
            return
        self._kept.append((sock, count))
        self.count += count
        self.look()

    def look(self) -> None:
        """Let go of those in which nothing lies any more."""
        for sock, count in [each for each in self._kept if not _unread(each[0])]:
            self._kept.remove((sock, count))
            self.count -= count
            sock.close()

    def close(self) -> None:
        """Let go of all."""
        for sock, _ in self._kept:
            sock.close()
        self._kept.clear()
        self.count = 0


def _unread(sock: socket.socket) -> int:
    """Bytes that the other end has not read, with the kernel's own for each packet."""
    found: int = struct.unpack("i", fcntl.ioctl(sock, termios.TIOCOUTQ, bytes(4)))[0]
    return found
