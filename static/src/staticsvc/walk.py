"""From a path to an open file, never outside the root.

Each segment is opened relative to the folder before it, and no symbolic link is followed anywhere: there is nothing to
resolve, and so nothing to resolve wrongly, whatever is moved about meanwhile. What is neither folder nor regular file does
not exist, and is not even opened: a FIFO would wait for a writer, a device may do something. Names that start with a dot do
not exist either.
"""

import errno
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

__all__ = ["Absent", "Found", "open_below", "open_inside", "segments_of"]

LONGEST_SEGMENT = 255

_FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EACCES, errno.ENXIO, errno.ENAMETOOLONG})


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
        return _walk(os.open(root, _FOLDER & ~os.O_NOFOLLOW), names)
    except OSError as error:
        if error.errno in _ABSENT:
            raise Absent from error
        raise


def _walk(fd: int, names: Sequence[bytes]) -> Found:
    try:
        for at, name in enumerate(names):
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
    fd = os.open(name, _FILE, dir_fd=folder)
    about = os.fstat(fd)
    if not stat.S_ISREG(about.st_mode):  # put in its place since it was looked at
        os.close(fd)
        raise Absent
    return Found(fd, about)


def open_inside(folder: Found, name: bytes) -> Found:
    """Open `name` in a folder that was found, and close the folder.

    Raises:
        Absent, OSError: as `open_below`.
    """
    try:
        return _walk(folder.fd, [name])  # which closes it
    except OSError as error:
        if error.errno in _ABSENT:
            raise Absent from error
        raise
