"""From a path to an open file, never outside the root.

The kernel resolves the whole path beneath the root (`beneath`); where it cannot, each segment is opened relative to the
folder before it. No symbolic link is followed anywhere, by either way: there is nothing to resolve, and so nothing to resolve
wrongly, whatever is moved about meanwhile. What is neither folder nor regular file does not exist, and is not even opened: a
FIFO would wait for a writer, a device may do something. Names that start with a dot do not exist either.
"""

import errno
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from . import beneath

__all__ = ["Absent", "Found", "is_folder", "open_below", "reopen", "segments_of"]

LONGEST_SEGMENT = 255

_FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EACCES, errno.ENXIO, errno.EXDEV, errno.ENAMETOOLONG})
_UP = (b"", b".", b"..")


class Absent(Exception):
    """There is nothing that may be served."""


@dataclass(frozen=True, slots=True)
class Found:
    """A regular file or a folder; `fd` is the receiver's to close."""

    fd: int
    about: os.stat_result

    @property
    def is_folder(self) -> bool:
        return stat.S_ISDIR(self.about.st_mode)


def segments_of(path: bytes) -> list[bytes]:
    """The names in a path that is in the normal form of `svckit.paths`, without its leading and trailing slash.

    Raises:
        Absent: a name is hidden, or none that a file could have.
    """
    names = [unquote_to_bytes(segment) for segment in path.strip(b"/").split(b"/")] if path.strip(b"/") else []
    for name in names:
        if not name or name.startswith(b".") or b"/" in name or b"\0" in name or len(name) > LONGEST_SEGMENT:
            raise Absent
    return names


def open_below(root: str, names: Sequence[bytes]) -> Found:
    """Open what the names lead to, from `root` on.

    Raises:
        Absent: there is no such file or folder, or it may not be served.
        OSError: the system is out of something.
    """
    try:
        base = os.open(root, _FOLDER & ~os.O_NOFOLLOW)
        if not beneath.AVAILABLE or not names:
            return _walk(base, names)  # which closes it
        try:
            return _at_once(base, b"/".join(names))
        finally:
            os.close(base)
    except OSError as error:
        if error.errno in _ABSENT:
            raise Absent from error
        raise


def is_folder(root: str, path: bytes) -> bool:
    """Whether a folder lies at `path` below `root`."""
    try:
        found = open_below(root, path.split(b"/"))
    except Absent:
        return False
    os.close(found.fd)
    return found.is_folder


def reopen(root: str, path: bytes) -> int:
    """Open what was found to be a regular file at `path` below `root`, as fast as can be; what is there now is to be looked at.

    Raises:
        Absent, OSError: as `open_below`.
    """
    if not beneath.AVAILABLE:
        found = open_below(root, path.split(b"/"))
        return found.fd
    base = -1
    try:
        base = os.open(root, _FOLDER & ~os.O_NOFOLLOW)
        return beneath.open_beneath(base, path, _FILE)
    except OSError as error:
        if error.errno in _ABSENT:
            raise Absent from error
        raise
    finally:
        if base >= 0:
            os.close(base)


def _at_once(base: int, path: bytes) -> Found:
    fd = beneath.open_beneath(base, path, _FOLDER & ~os.O_DIRECTORY)  # O_PATH: nothing happens to what is looked at
    about = os.fstat(fd)
    if stat.S_ISDIR(about.st_mode):
        return Found(fd, about)
    os.close(fd)
    if not stat.S_ISREG(about.st_mode):
        raise Absent
    return _looked_at(beneath.open_beneath(base, path, _FILE))


def _walk(fd: int, names: Sequence[bytes]) -> Found:
    try:
        for at, name in enumerate(names):
            if name in _UP:
                raise Absent
            mode = os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode
            if stat.S_ISREG(mode) and at == len(names) - 1:
                return _open_file(fd, name)
            if not stat.S_ISDIR(mode):
                raise Absent
            fd, before = os.open(name, _FOLDER, dir_fd=fd), fd
            os.close(before)
        folder = Found(fd, os.fstat(fd))
        fd = -1
        return folder
    finally:
        if fd >= 0:
            os.close(fd)


def _open_file(folder: int, name: bytes) -> Found:
    return _looked_at(os.open(name, _FILE, dir_fd=folder))


def _looked_at(fd: int) -> Found:
    about = os.fstat(fd)
    if not stat.S_ISREG(about.st_mode):  # put in its place since it was looked at
        os.close(fd)
        raise Absent
    return Found(fd, about)
