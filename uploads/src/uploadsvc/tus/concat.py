"""Several uploads become one. Blocks."""

import errno
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from .. import refusals
from ..refusals import Refusal
from .info import Info

if TYPE_CHECKING:
    from ..stores import AnyUpload
    from .shelf import Shelf
    from .upload import Upload

__all__ = ["CannotConcatenate", "concatenate", "length_of"]

_PIECE = 64 << 20
"""Bytes that the kernel is asked to copy at a time."""
_NOT_HERE = frozenset({errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL, errno.EXDEV})


class CannotConcatenate(Exception):
    """The parts do not make an upload."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.text)
        self.refusal = refusal


def length_of(parts: "Sequence[AnyUpload]", max_size: int) -> int:
    """Bytes of the upload that `parts` make.

    Raises:
        CannotConcatenate: see there.
    """
    if not all(part.info.partial and part.whole for part in parts):
        raise CannotConcatenate(Refusal(400, "A part of the upload is not whole, or not meant as one."))
    length = sum(part.offset for part in parts)
    if length > max_size:
        raise CannotConcatenate(refusals.TOO_LARGE)
    return length


def concatenate(shelf: "Shelf", info: Info, parts: "Sequence[Upload]", max_size: int) -> str:
    """Make and publish the upload that `parts`, whose locks are ours, make up; returns its identifier.

    The parts stay for a while: the client may not get the answer, and ask again.

    Raises:
        CannotConcatenate: see there.
        FileExistsError: nothing may stand under its name, and something does.
        OSError: the disk is full, or worse.
    """
    length = length_of(parts, max_size)
    quota = shelf.store.quota
    refusal = quota.refusal_for_space(length, info.name)
    if refusal is not None:
        raise CannotConcatenate(refusal)
    fresh = [part for part in parts if not part.used]
    for part in fresh:
        part.use()
    try:
        return _make(shelf, info, parts, length)
    except OSError:
        for part in fresh:
            part.use(False)
        raise


def _make(shelf: "Shelf", info: Info, parts: "Sequence[Upload]", length: int) -> str:
    upload = shelf.create(msgspec.structs.replace(info, length=length))
    try:
        fd = os.open(upload.data, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            for part in parts:
                _copy(part, fd)
            os.fsync(fd)
        finally:
            os.close(fd)
        upload.publish()
    except OSError:
        upload.remove()
        raise
    finally:
        upload.release()
    return upload.id


def _copy(part: "Upload", target: int) -> None:
    """The kernel copies, or shares the blocks where the file system can."""
    fd = os.open(part.data, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        left = os.fstat(fd).st_size
        while left:
            try:
                copied = os.copy_file_range(fd, target, min(left, _PIECE))
            except OSError as error:
                if error.errno not in _NOT_HERE:
                    raise
                copied = os.sendfile(target, fd, None, min(left, _PIECE))
            if not copied:
                raise OSError(errno.EIO, "a part has become shorter")
            left -= copied
    finally:
        os.close(fd)
