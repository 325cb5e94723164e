"""Small files made durable together: what it costs to be sure is paid once for all that have come in one moment.

Each is written to a hidden file of its own, locked and made durable as any other (`part`). But one look at the space, one lock
of all replicas and one fsync of the folder do for all of them, and all are done by one thread. What is wrong with one of them
is that one's failure only. Blocks.
"""

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
from .store import Store, close_all
from .writeback import begin_writing

__all__ = ["Made", "Room", "Small", "each", "fresh_name", "publish_all", "results"]

_run, _number = uuid4().hex, count()


class Small(msgspec.Struct, frozen=True):
    """A file that has come whole."""

    name: str
    pieces: Sequence[bytes | bytearray]
    size: int
    user: str = ""
    hashes: bool = False
    """Whether somebody asks for its SHA-256."""


class Room:
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


class Made:
    """One of them on its way."""

    __slots__ = ("_folder", "fd", "file", "path", "result", "sha256")

    def __init__(self, file: Small) -> None:
        self.file, self.path, self.fd = file, "", -1
        self._folder: int | None = None
        self.sha256: bytes | None = None
        self.result: Published | Exception | None = None

    def write(self, path: str, room: Room, hashes: bool, folder: int | None = None) -> None:
        """Have its bytes at `path`, locked; `folder` is the descriptor of the one in which that is.

        Raises:
            OSError: there is no room, or worse.
        """
        file = self.file
        room.expect(file)
        self.fd = fd = open_hidden(path, folder)
        self.path, self._folder = path, folder
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        write_all(fd, file.pieces)
        if hashes or file.hashes:
            self.sha256 = hashlib.sha256(b"".join(file.pieces)).digest()
        own(fd, file.user)

    def placed(self, about: os.stat_result, replaced: bool) -> None:
        """It stands under its name now; `about` is its fstat."""
        self.path = ""
        self.result = Published(self.file.name, about.st_size, self.sha256, etag_of(about), replaced)

    def let_go(self) -> None:
        """Whatever goes wrong here has no bearing on what is answered: what was to be durable is."""
        if self.path:
            with suppress(OSError):
                os.unlink(self.path, dir_fd=self._folder)
        if self.fd >= 0:
            with suppress(OSError):
                os.close(self.fd)


def publish_all(store: Store, files: Sequence[Small]) -> list[Published | Exception]:
    """Make `files` durable and put them in place, one behind the other; what came of each."""
    made = [Made(file) for file in files]
    hidden, root = str(store.hidden), str(store.root)
    folders: Sequence[int] = ()

    def put(one: Made) -> None:
        about = os.fstat(one.fd)
        one.placed(about, replace(one.path, f"{root}/{one.file.name}"))

    try:
        room = Room(store)
        each(made, lambda one: one.write(f"{hidden}/{fresh_name()}", room, store.hashes))
        if len(made) > 1:
            each(made, lambda one: begin_writing(one.fd))  # all at once: the first fsync takes most of them along
        each(made, lambda one: os.fsync(one.fd))
        folders = store.sharing()
        each(made, put)
        if any(isinstance(one.result, Published) for one in made):
            settle_folder(store.root)
    except OSError as error:
        for one in made:
            one.result = one.result or error
    finally:
        close_all(folders)
        for one in made:
            one.let_go()
    return results(made)


def fresh_name() -> str:
    """A name in the hidden folder that nothing has."""
    return f"{_run}{next(_number):x}.part"


def each(made: Sequence[Made], step: Callable[[Made], object]) -> None:
    """Take a step with each that has not failed yet."""
    for one in made:
        if one.result is None:
            try:
                step(one)
            except Exception as error:  # whatever it is, the others have nothing to do with it
                one.result = error


def results(made: Sequence[Made]) -> list[Published | Exception]:
    """What came of each."""
    return [one.result or OSError("not put in place") for one in made]
