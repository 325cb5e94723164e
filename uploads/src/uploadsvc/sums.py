"""The checksums of a file that is being written: of bytes in memory at once, of bytes that the kernel has moved in a thread of
their own, which reads them back out of the kernel's cache.

SHA-256 takes longer than receiving. Beside it, on another core, it takes little time on top; and what it is behind lies in the
file, not in memory. It may be `LAG` bytes behind: further back, the bytes may have left the cache and would come from the disk.
"""

import errno
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

__all__ = ["LAG", "Sums"]

LAG = 64 << 20
"""Bytes of one file that are written and not summed yet, at most; with more, writing waits."""
_AT_ONCE = 128 * 1024
"""Bytes that are read back in one go: what a core's own cache holds."""
_TURN = 16 << 20
"""Bytes of one file after which the next one has its turn: as fast as it is written, it may never be caught up with."""


class _Buffer(threading.local):
    """For reading back: one for each thread, as there are few of them and many uploads."""

    def __init__(self) -> None:
        self.bytes = memoryview(bytearray(_AT_ONCE))


_buffer = _Buffer()
_pool = ThreadPoolExecutor(len(os.sched_getaffinity(0)), "sums")  # apart from the disk's, whose jobs wait for these


class Sums:
    """Some hash objects, for one file. One thread at a time; blocks."""

    def __init__(self, makers: Mapping[Any, Callable[[], Any]]) -> None:
        self._sums = {name: make() for name, make in makers.items()}
        self._state = threading.Condition()
        self._fd, self._at, self._end = -1, 0, 0
        """The file, and which of its bytes are still to be read back."""
        self._runs = False
        self._error: OSError | None = None

    def __contains__(self, name: object) -> bool:
        return name in self._sums

    def add(self, pieces: Iterable[bytes | bytearray]) -> None:
        """The next bytes.

        Raises:
            OSError: those before cannot be read back.
        """
        if not self._sums:
            return
        self._wait(0)
        for each in self._sums.values():
            for piece in pieces:
                each.update(piece)

    def follow(self, fd: int, at: int, count: int) -> None:
        """The next bytes are `count` at `at` of the file `fd`, which stays open until `digest` or `stop`.

        Raises:
            OSError: those before cannot be read back.
        """
        if not self._sums:
            return
        with self._state:
            if self._at == self._end:
                self._fd, self._at, self._end = fd, at, at
            self._end += count
            if not self._runs:
                _pool.submit(self._run)
                self._runs = True
        self._wait(LAG)

    def digest(self, name: str | bytes) -> bytes:
        """Of all bytes.

        Raises:
            OSError: they cannot be read back.
        """
        self._wait(0)
        found: bytes = self._sums[name].digest()
        return found

    def stop(self) -> None:
        """Nobody wants to know any more; nothing is read after this."""
        with self._state:
            self._end = self._at
            self._state.wait_for(lambda: not self._runs)

    def _wait(self, behind: int) -> None:
        with self._state:
            if self._end - self._at > behind:
                self._state.wait_for(lambda: self._end - self._at <= behind or self._error is not None)
            if self._error is not None:
                raise self._error

    def _run(self) -> None:
        """In a thread of the pool: catch up, or go behind those that wait."""
        left = _TURN
        while True:
            with self._state:
                if self._at >= self._end:
                    self._runs = False
                    self._state.notify_all()
                    return
                if left <= 0:
                    _pool.submit(self._run)
                    return
                fd, at, most = self._fd, self._at, min(self._end - self._at, _AT_ONCE)
            try:
                read = os.preadv(fd, [_buffer.bytes[:most]], at)
                if not read:
                    raise OSError(errno.EIO, "the file has become shorter")
            except OSError as error:
                with self._state:
                    self._error, self._end = error, self._at
                continue
            for each in self._sums.values():
                each.update(_buffer.bytes[:read])
            left -= read
            with self._state:
                self._at += read
                self._state.notify_all()
