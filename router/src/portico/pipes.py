"""The pipes in the kernel through which bulk goes by splice(2): kept for reuse, and never with bytes in them."""

import contextlib
import errno
import fcntl
import os
import sys
import termios

from .flow import PIPE_SIZE, SMALLER_PIPE

__all__ = ["NO_PIPES", "Pipes"]


class Pipes:
    """Pipes for reuse. One with bytes left in it is never used again."""

    KEPT = 64
    """Pipes that wait for use."""
    LARGE = 32
    """Pipes in use of the full size, half of what an unprivileged user may have. Who is over that gets two pages."""

    def __init__(self) -> None:
        self._free: list[tuple[int, int]] = []
        self._made = 0

    def get(self) -> tuple[int, int]:
        """An empty non-blocking pipe.

        Raises:
            OSError: too many descriptors.
        """
        if self._free:
            return self._free.pop()
        pipe = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._made += 1
        with contextlib.suppress(OSError):  # over the user's share: the default size works too
            fcntl.fcntl(pipe[1], fcntl.F_SETPIPE_SZ, PIPE_SIZE if self._made <= self.LARGE else SMALLER_PIPE)
        return pipe

    def put(self, pipe: tuple[int, int], empty: bool) -> None:
        """Give a pipe back. That it is empty is asked of the kernel too: what is in it would go to somebody else's client."""
        if empty and len(self._free) < self.KEPT and not _bytes_in(pipe):
            self._free.append(pipe)
        else:
            self._made -= 1
            os.close(pipe[0])
            os.close(pipe[1])

    def close(self) -> None:
        """Close those that are kept."""
        while self._free:
            self.put(self._free.pop(), False)


def _bytes_in(pipe: tuple[int, int]) -> int:
    return int.from_bytes(fcntl.ioctl(pipe[0], termios.FIONREAD, b"\0\0\0\0"), sys.byteorder)


class NoPipes(Pipes):
    """For connections that somebody else may hold too: splice(2) would wait where their socket's flags say so."""

    def get(self) -> tuple[int, int]:
        """None.

        Raises:
            OSError: always; copying goes on without.
        """
        raise OSError(errno.EMFILE, "this connection is copied")


NO_PIPES = NoPipes()
