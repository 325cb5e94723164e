"""A file in the making: hidden until it is whole, then published in one step.

It is written under a name of its own in a hidden folder of the same file system, so that publishing is a rename and a reader
sees the old file or the new one, never a piece. While it is written it holds a lock of the kernel's (flock), which a crash
sets free: that is how a sweep, also one by another replica, tells what is abandoned from what is under way.

Everything here blocks and belongs in a thread; one thread at a time.
"""

import fcntl
import os
import uuid
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Protocol

import msgspec
from svckit.conditional import etag_of
from twisted.logger import Logger

from .digests import ALGORITHMS, Digests, check
from .quota import Growing, Quota
from .replacing import replace
from .splicing import Moved, Pipe, into_file
from .sums import Sums
from .writeback import Early

__all__ = ["MODE", "Part", "Publish", "Published", "open_hidden", "put_in_place", "settle_folder", "sync_folder", "write_all"]

log = Logger()

MODE = 0o640
_MOST_PIECES = 512
"""Buffers for one writev(2); the kernel takes 1024."""


class Published(msgspec.Struct, frozen=True):
    """What stands under the final name now."""

    name: str
    size: int
    sha256: bytes | None
    """None where the file has come in several requests, or nobody asked for it."""
    etag: bytes
    replaced: bool

    @property
    def told(self) -> dict[str, object]:
        """What a client is told of it, as JSON."""
        return {"name": self.name, "size": self.size, "sha256": None if self.sha256 is None else self.sha256.hex()}


class Publish(Protocol):
    """Puts a file that is whole and durable in place."""

    def __call__(self, source: Path, /, *, name: str, exclusive: bool, sha256: bytes | None) -> Published: ...


class Part:
    """Goes to `folder`/NAME by way of `hidden`."""

    def __init__(
        self,
        folder: Path,
        hidden: Path,
        digests: Digests | None = None,
        publish: "Publish | None" = None,
        hashes: bool = False,
        growing: Growing | None = None,
    ) -> None:
        """`digests` are what its bytes must come to; `publish` puts it in place, in some other way than the plain one.

        `hashes`: whether its SHA-256 is taken although no digest is checked. `growing` says where it is too much.
        """
        self._growing = growing or Growing(Quota(folder), "")
        self._publish = publish or partial(put_in_place, folder=folder)
        self._path = hidden / f"{uuid.uuid4().hex}.part"
        self._fd = -1
        self._digests = digests or {}
        wanted = {*self._digests, "sha-256"} if hashes else {*self._digests}
        self._sums = Sums({name: ALGORITHMS[name] for name in wanted})
        self._size = 0
        self._early = Early()

    def append(self, pieces: Sequence[bytes | bytearray]) -> None:
        """Write `pieces` behind what is there.

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
        self._sums.follow(self._fd, self._size, count)
        self._grown(count)

    def _grown(self, count: int) -> None:
        self._size += count
        self._early.reached(self._fd, self._size)
        self._growing.by(count)

    def commit(self, size: int, name: str, exclusive: bool = False) -> Published:
        """Make it durable and publish it as `name`, in place of what may stand there.

        With `exclusive`, nothing may stand there. Whatever goes wrong, `discard` is still the caller's to call.

        Raises:
            WrongDigest: its bytes are not what was said.
            FileExistsError: `exclusive`, and something stands there.
            OSError: the disk is full; a folder has that name; it has not `size` bytes; or worse.
        """
        self.settle(size)
        published = self._publish(
            self._path,
            name=name,
            exclusive=exclusive,
            sha256=self._sums.digest("sha-256") if "sha-256" in self._sums else None,
        )
        os.close(self._fd)
        self._fd = -1
        return published

    def settle(self, size: int) -> None:
        """Make it durable; no byte may come any more.

        Raises:
            WrongDigest: its bytes are not what was said.
            OSError: the disk is full; it has not `size` bytes; or worse.
        """
        self._open()
        if self._size != size:
            raise OSError(f"{self._size} bytes written of {size}")
        self._growing.now()
        check(self._digests, self._sums.digest)
        os.fsync(self._fd)

    def discard(self) -> None:
        """Remove what is there, unless it is published; also right when nothing is there."""
        if self._fd < 0:
            return
        self._sums.stop()
        with suppress(FileNotFoundError):
            self._path.unlink()
        os.close(self._fd)
        self._fd = -1

    def _open(self) -> None:
        if self._fd < 0:
            self._fd = open_hidden(self._path)
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)


def open_hidden(path: Path | str, folder: int | None = None) -> int:
    """The descriptor of a file in the making, to write and to read; `folder` is the descriptor of where `path` begins.

    Raises:
        OSError: it cannot be made.
    """
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, MODE, dir_fd=folder)


def write_all(fd: int, pieces: Sequence[bytes | bytearray]) -> int:
    """Write `pieces` one behind the other; returns how many bytes that were.

    Raises:
        OSError: the disk is full, or worse.
    """
    if len(pieces) <= _MOST_PIECES:
        return _write_batch(fd, pieces)
    return sum(_write_batch(fd, pieces[at : at + _MOST_PIECES]) for at in range(0, len(pieces), _MOST_PIECES))


def _write_batch(fd: int, batch: Sequence[bytes | bytearray]) -> int:
    whole = sum(map(len, batch))
    written = os.writev(fd, batch)
    if written < whole:
        rest = memoryview(b"".join(batch))[written:]
        while rest:
            rest = rest[os.write(fd, rest) :]
    return whole


def put_in_place(source: Path, *, folder: Path, name: str, exclusive: bool = False, sha256: bytes | None = None) -> Published:
    """Make `source`, which is whole and durable, the file `name` of `folder` in one step.

    With `exclusive` that is a link, which replaces nothing; else a rename.

    Raises:
        FileExistsError: `exclusive`, and another file stands there.
        OSError: a folder has that name, or worse.
    """
    about = source.stat()
    final = folder / name
    if exclusive:
        try:
            os.link(source, final, follow_symlinks=False)
        except FileExistsError:
            if not _same(about, final):  # else a crash came between the link and here
                raise
        source.unlink()
        replaced = False
    else:
        replaced = replace(source, final)
    settle_folder(folder)
    return Published(name, about.st_size, sha256, etag_of(about), replaced)


def _same(about: os.stat_result, path: Path) -> bool:
    try:
        return os.path.samestat(about, path.lstat())
    except FileNotFoundError:
        return False


def settle_folder(folder: Path) -> None:
    """As `sync_folder`, where what it is for has happened: whoever asks sees it, so a failure is the operator's to hear of.

    The file is whole and durable, and only a crash of the whole machine could still take its name away. An answer that says
    that it is not there would be wrong, and taking it back is not possible: what it has replaced is gone.
    """
    try:
        sync_folder(folder)
    except OSError as error:
        log.critical(
            "{folder}: what was put in place may not outlast a power failure: {error}", folder=folder, error=str(error)
        )


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
