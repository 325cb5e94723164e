"""Write-back that begins before anybody waits for it: what is on its way to the disk already makes fsync(2) short.

sync_file_range(2) promises nothing, and nothing is made of it: fsync(2) comes all the same, and tells what went wrong. Blocks
where the disk has more to do than it takes.
"""

import ctypes
from typing import Any

__all__ = ["EARLY", "Early", "begin_writing"]

EARLY = 8 << 20
"""Bytes of a file that gather in the kernel before they are sent on to the disk."""
_WRITE = 2

_call: Any = getattr(ctypes.CDLL(None), "sync_file_range", None)
if _call is not None:
    _call.argtypes = [ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint]


def begin_writing(fd: int, offset: int = 0, count: int = 0) -> None:
    """Send `count` bytes at `offset` of a file to the disk; 0: all that are there. Where the system cannot, nothing happens."""
    if _call is not None:
        _call(fd, offset, count, _WRITE)


class Early:
    """One file that is written from its front to its end."""

    __slots__ = ("_begun",)

    def __init__(self, begun: int = 0) -> None:
        """The first `begun` bytes are somebody else's."""
        self._begun = begun

    def reached(self, fd: int, size: int) -> None:
        """It has `size` bytes now."""
        if size - self._begun >= EARLY:
            begin_writing(fd, self._begun, size - self._begun)
            self._begun = size
