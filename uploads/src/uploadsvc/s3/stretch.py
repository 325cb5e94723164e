"""The body of one request, appended to a resumable upload. Blocks; one thread at a time.

What fills a part goes to the store at once, and counts then. What is left when the body ends, or breaks off, becomes the tail,
or the last part. Where a checksum is to prove the body, nothing of it counts before that.
"""

import hmac
from collections.abc import Sequence
from typing import Any

from ..tus.heads import ALGORITHMS, Checksum
from ..tus.stretch import ChecksumMismatch, Progress
from .bucket import Piece
from .record import Lost
from .spool import LEAST_PART, Spool
from .upload import S3Upload

__all__ = ["S3Stretch"]


class S3Stretch:
    """A way in (see `sink.Body`) for an upload; at the end it is nobody's."""

    def __init__(self, upload: S3Upload, checksum: Checksum | None, spool: Spool) -> None:
        self._upload, self._checksum, self._spool = upload, checksum, spool
        self._digest: Any = None if checksum is None else ALGORITHMS[checksum.algorithm]()
        self._start = upload.offset
        self._began = False
        self._pieces: list[Piece] = []
        """Sent, and not counted yet."""

    def append(self, pieces: Sequence[bytes | bytearray]) -> None:
        """
        Raises:
            Lost: another request has the upload now.
            OSError: the disk is full, the store fails, or worse.
        """
        if not self._began:
            self._upload.hold()
            self._upload.load_tail(self._spool)
            self._began = True
        if self._digest is not None:
            for piece in pieces:
                self._digest.update(piece)
        for _ in self._spool.fill(pieces):
            self._send()

    def _send(self) -> None:
        self._pieces.append(self._upload.send(self._spool))
        if self._digest is None:
            self._count()

    def _count(self) -> None:
        self._upload.count(self._pieces)
        self._pieces.clear()

    def commit(self, size: int) -> Progress:
        """The body was whole: count it, and publish the upload if that was its end.

        Raises:
            ChecksumMismatch: see there.
            Lost, FileExistsError, OSError: as `append` and `publish` say.
        """
        if self._checksum is not None and not hmac.compare_digest(self._digest.digest(), self._checksum.digest):
            raise ChecksumMismatch
        offset = self._start + size
        published = None
        if self._upload.info.length == offset:
            pieces, self._pieces = self._pieces, []  # whatever goes wrong, they do not count twice
            published = self._upload.finish(pieces, self._spool) if self._began else self._upload.publish()
        else:
            self._save()
        self._upload.release()
        self._spool.close()
        return Progress(offset, published)

    def discard(self) -> None:
        """It will not be whole; what has come stays, unless a checksum was to prove it.

        Raises:
            OSError: the store fails; what came since the last part does not count then.
        """
        if self._digest is not None:
            self._pieces.clear()
            self._spool.empty()
            self._began = False
        try:
            if self._upload.handle.ours:
                try:
                    self._save()
                finally:
                    self._upload.release()
        except Lost:
            return  # whoever has it now goes on from what counts
        finally:
            self._spool.close()

    def _save(self) -> None:
        """What has come and is in no part that counts."""
        if self._began and self._spool.size >= LEAST_PART:
            self._pieces.append(self._upload.send(self._spool))
        if self._began and self._spool.size:
            self._upload.keep(self._pieces, self._spool)
        elif self._pieces:
            self._count()
