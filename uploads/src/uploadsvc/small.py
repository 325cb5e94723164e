"""Small files made durable together: what it costs to be sure is paid once for all that have come in one moment.

Each is written to a hidden file of its own, locked and made durable as any other (`part`). But one look at the space, one lock
of all replicas and one fsync of the folder do for all of them, and all are done by one thread. What is wrong with one of them
is that one's failure only. Blocks.
"""

import errno
import fcntl
import hashlib
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import count
from uuid import uuid4

import msgspec
from svckit.conditional import etag_of

from .part import Published, open_hidden, settle_folder, write_all
from .quota import own
from .replacing import replace
from .store import Store
from .writeback import begin_writing

__all__ = ["LARGE", "Small", "publish_all", "publish_at_once"]

LARGE = 1 << 20
"""Bytes of a file that is not replaced between two turns of the reactor."""

_run, _number = uuid4().hex, count()


class Small(msgspec.Struct, frozen=True):
    """A file that has come whole."""

    name: str
    pieces: Sequence[bytes | bytearray]
    size: int
    user: str = ""
    hashes: bool = False
    """Whether somebody asks for its SHA-256."""


class _Made:
    """One of them on its way."""

    __slots__ = ("about", "fd", "file", "path", "result", "sha256")
    about: os.stat_result

    def __init__(self, file: Small) -> None:
        self.file, self.path, self.fd = file, "", -1
        self.sha256: bytes | None = None
        self.result: Published | Exception | None = None


def publish_at_once(store: Store, files: Sequence[Small]) -> list[Published | Exception] | None:
    """As `publish_all`, of a store whose files lie in memory; None, with nothing done, where it would take more than a moment.

    That is where a lock has to be waited for, or a large file would be replaced: its memory is given back page by page.
    """
    standing: set[str] = set()
    try:
        for file in files:
            if _stands(store, file.name):
                standing.add(file.name)
        return publish_all(store, files, store.sharing(wait=False), standing)
    except OSError:
        return None


def _stands(store: Store, name: str) -> bool:
    """
    Raises:
        OSError: what stands there is large.
    """
    try:
        about = os.lstat(f"{store.root}/{name}")
    except FileNotFoundError:
        return False
    if about.st_size > LARGE:
        raise OSError(errno.EFBIG, name)
    return True


def publish_all(
    store: Store, files: Sequence[Small], lock: int = -1, standing: set[str] | None = None
) -> list[Published | Exception]:
    """Make `files` durable and put them in place, one behind the other; what came of each.

    `lock` is what `Store.sharing` gives, where the caller has it; it is closed here. `standing` are those of their names that
    something has, where that is known.
    """
    made = [_Made(file) for file in files]
    hidden, root = f"{store.hidden}/{_run}", str(store.root)
    try:
        room = _Room(store)
        _each(made, lambda one: _write(one, f"{hidden}{next(_number):x}.part", room, store.hashes))
        if standing is None:
            _make_durable(made)
            lock = store.sharing()
        _each(made, lambda one: _put(one, root, standing))
        if standing is None and any(isinstance(one.result, Published) for one in made):
            settle_folder(store.root)
    except OSError as error:
        for one in made:
            one.result = one.result or error
    finally:
        if lock >= 0:
            os.close(lock)
        for one in made:
            _let_go(one)
    return [one.result or OSError("not put in place") for one in made]


def _make_durable(made: Sequence[_Made]) -> None:
    if len(made) > 1:
        _each(made, lambda one: begin_writing(one.fd))  # all at once: the first fsync takes most of them along
    _each(made, lambda one: os.fsync(one.fd))


def _each(made: Sequence[_Made], step: Callable[[_Made], object]) -> None:
    for one in made:
        if one.result is None:
            try:
                step(one)
            except Exception as error:  # whatever it is, the others have nothing to do with it
                one.result = error


class _Room:
    """What is free on the file system, looked up once."""

    def __init__(self, store: Store) -> None:
        self._quota = store.quota
        self._taken = 0
        self._ample = store.quota.spare()

    def expect(self, file: Small) -> None:
        """
        Raises:
            OverQuota: it does not fit.
        """
        self._taken += file.size
        if self._taken > self._ample:
            self._quota.expect_space(file.size, file.name)


def _write(one: _Made, path: str, room: _Room, hashes: bool) -> None:
    room.expect(one.file)
    one.fd = open_hidden(path)
    one.path = path
    fcntl.flock(one.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    write_all(one.fd, one.file.pieces)
    if hashes or one.file.hashes:
        one.sha256 = hashlib.sha256(b"".join(one.file.pieces)).digest()
    own(one.fd, one.file.user)


def _put(one: _Made, root: str, standing: set[str] | None) -> None:
    about, final = os.fstat(one.fd), f"{root}/{one.file.name}"
    if standing is None:
        replaced = replace(one.path, final)
    else:  # none of them is large
        replaced = one.file.name in standing
        os.rename(one.path, final)  # noqa: PTH104  # each Path costs as much as a system call
        standing.add(one.file.name)
    one.path = ""
    one.result = Published(one.file.name, about.st_size, one.sha256, etag_of(about), replaced)


def _let_go(one: _Made) -> None:
    """Whatever goes wrong here has no bearing on what is answered: what was to be durable is."""
    if one.path:
        with suppress(OSError):
            os.unlink(one.path)  # noqa: PTH108
    if one.fd >= 0:
        with suppress(OSError):
            os.close(one.fd)
