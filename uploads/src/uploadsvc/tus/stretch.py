"""The body of one request, appended to an upload. Blocks, as `part` does, and keeps what has come when the client goes."""

import hmac
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..part import Published, write_all
from ..splicing import Moved, Pipe, into_file
from ..sums import Sums
from ..writeback import Early
from .heads import ALGORITHMS, Checksum

if TYPE_CHECKING:
    from .upload import Upload

__all__ = ["ChecksumMismatch", "Progress", "Stretch"]


class ChecksumMismatch(Exception):
    """The body is not what its Upload-Checksum says; it does not count. The answer is 460."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where an upload stands after a request."""

    offset: int
    published: Published | None


class Stretch:
    """A way in (see `sink.Body`) for an upload whose lock is ours; at the end the lock is free."""

    def __init__(self, upload: "Upload", checksum: Checksum | None) -> None:
        self._upload = upload
        self._checksum = checksum
        self._sums = Sums({} if checksum is None else {checksum.algorithm: ALGORITHMS[checksum.algorithm]})
        self._start, self._size = upload.offset, 0
        self._early = Early(upload.offset)
        self._growing = upload.growing
        self._fd = -1

    def append(self, pieces: Sequence[bytes | bytearray]) -> None:
        """
        Raises:
            OSError: the disk is full, or worse.
        """
        self._open()
        self._sums.add(pieces)
        self._grown(write_all(self._fd, pieces))

    def splice(self, pipe: Pipe, limit: int) -> Moved:
        """Take what has arrived at a socket, at most `limit` bytes.

        Raises:
            OSError: the disk is full, or worse.
        """
        self._open()
        return pipe.move(limit, self._put)

    def _put(self, pipe: int, count: int) -> None:
        into_file(pipe, self._fd, count)
        self._sums.follow(self._fd, self._start + self._size, count)
        self._grown(count)

    def _grown(self, count: int) -> None:
        self._size += count
        self._early.reached(self._fd, self._start + self._size)
        self._growing.by(count)

    def _open(self) -> None:
        if self._fd < 0:
            if self._checksum is not None:
                self._upload.doubt()
            self._fd = os.open(self._upload.data, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)  # splice(2) and O_APPEND exclude
            os.lseek(self._fd, self._start, os.SEEK_SET)  # each other; the lock keeps others from writing here

    def commit(self, size: int) -> Progress:
        """The body was whole: make it durable, and publish the upload if that was its end.

        Raises:
            ChecksumMismatch: see there.
            FileExistsError: nothing may stand under its name, and something does.
            OSError: worse.
        """
        if self._checksum is not None and not hmac.compare_digest(
            self._sums.digest(self._checksum.algorithm), self._checksum.digest
        ):
            raise ChecksumMismatch
        if self._fd >= 0:
            os.fsync(self._fd)
            self._upload.trust()
        offset = self._start + size
        published = self._upload.publish()
        self._close()
        return Progress(offset, published)

    def discard(self) -> None:
        """It will not be whole; what has come stays, unless a checksum was to prove it."""
        self._sums.stop()
        try:
            if self._fd >= 0 and self._checksum is not None:
                os.ftruncate(self._fd, self._start)
                self._upload.trust()
        finally:
            self._close()

    def _close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        self._upload.release()
