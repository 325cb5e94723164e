"""Bytes that are to be one part of an object: in a file without a name, which ends with the process. Blocks.

A store wants parts of some MiB. In memory, as many uploads as are allowed at a time would have gigabytes of them.
"""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from ..part import write_all

__all__ = ["LEAST_PART", "MOST_PARTS", "PART", "Spool", "part_size"]

PART = 8 << 20
"""Bytes of a part, unless files may be so large that it takes larger ones."""
LEAST_PART = 5 << 20
"""Bytes that a part must have which is not the last: S3's own bound."""
MOST_PARTS = 10_000
"""Parts of an object: S3's own bound."""
_SPARE = 1_000
"""Of these are for what resumed requests leave short, or number and do not use."""


def part_size(max_size: int) -> int:
    """Bytes of a part where files have `max_size` at most."""
    return max(PART, -(-max_size // (MOST_PARTS - _SPARE)))


class Spool:
    """Room for one part of `size` bytes."""

    def __init__(self, folder: Path, size: int) -> None:
        self._folder, self._most = folder, size
        self._file: BinaryIO | None = None
        self.size = 0
        """Bytes that it has."""

    @property
    def full(self) -> bool:
        return self.size >= self._most

    def fill(self, pieces: Sequence[bytes | bytearray]) -> Iterator[None]:
        """Take `pieces`; yields whenever it is full, and has to be emptied before it goes on.

        Raises:
            OSError: the disk is full, or worse.
        """
        for piece in pieces:
            rest = memoryview(piece)
            while rest:
                now, rest = rest[: self._most - self.size], rest[self._most - self.size :]
                self.size += write_all(self._open().fileno(), [now])  # type: ignore[list-item]  # any buffer will do
                if self.full:
                    yield

    def body(self) -> BinaryIO:
        """All that it has, from the beginning."""
        file = self._open()
        file.seek(0)
        return file

    def empty(self) -> None:
        if self._file is not None:
            self._file.seek(0)
            self._file.truncate()
        self.size = 0

    def close(self) -> None:
        """Also right when it is closed already."""
        if self._file is not None:
            self._file.close()
            self._file = None
        self.size = 0

    def _open(self) -> BinaryIO:
        if self._file is None:
            self._file = tempfile.TemporaryFile(dir=self._folder, buffering=0)  # noqa: SIM115
        assert self._file is not None
        return self._file
