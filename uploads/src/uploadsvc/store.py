"""The folder that uploads live in. Nothing is kept in memory, so any number of replicas may share it.

Everything here blocks; what may take long (`listing`, `remove`, `prepare`) belongs in a thread once the service runs.
"""

import errno
import fcntl
import heapq
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path

from svckit.conditional import etag_of

from .about import About, Entry, Holds, HoldsNoLonger
from .digests import Digests
from .journal import Journal
from .names import BadName, check
from .part import Part, Published, put_in_place
from .quota import Growing, Quota

__all__ = ["ABANDONED_AFTER", "HIDDEN", "Store", "close_all"]

HIDDEN = ".parts"
"""Sub-folder for what is not whole yet; no upload can have that name."""
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
ABANDONED_AFTER = 60.0
"""Seconds without a write after which a part that nobody has locked is swept away."""


_ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO, errno.EACCES, errno.ENAMETOOLONG})


class Store:
    """Uploads are the regular files of `root`."""

    remote = False
    """Whether looking something up goes over a network, and belongs in a thread."""

    def __init__(self, root: Path, quota: Quota | None = None, journal: Journal | None = None) -> None:
        """`quota` bounds what there may be; None: nothing does. `journal` takes down what is published; None: nobody does."""
        self.root = root
        self.hidden = root / HIDDEN
        self.quota = quota or Quota(root)
        self.journal = journal
        self.hashes = False
        """Whether the SHA-256 of files is taken although nobody asks for it."""

    def prepare(self, now: float) -> int:
        """Make the folders, sweep what a crash has left; returns how many parts that were.

        Raises:
            OSError: the folder cannot be made or written.
        """
        self.hidden.mkdir(parents=True, exist_ok=True)
        if not os.access(self.hidden, os.W_OK | os.X_OK):
            raise PermissionError(f"{self.hidden} is not writable")
        return self.sweep(now)

    def sweep(self, now: float) -> int:
        """Remove the parts that nobody writes any more; returns how many. A part that is being written is locked."""
        return sum(_sweep(path, now) for path in self.hidden.glob("*.part"))

    def new_part(
        self, digests: Digests | None = None, user: str = "", holds: Holds | None = None, hashes: bool = False, name: str = ""
    ) -> Part:
        """A file to be, whose bytes must come to `digests`; it takes no space before its first bytes.

        `hashes`: somebody asks for its SHA-256. `name` is what it will be called.
        """
        publish = partial(self.publish, user=user, holds=holds)
        return Part(self.root, self.hidden, digests, publish, hashes or self.hashes, Growing(self.quota, name))

    def order_of(self, sizes: Mapping[str, int], exclusive: bool, user: str) -> list[str]:
        """In which order files of these names and sizes can be published, where all are to be there or none.

        Raises:
            OverQuota, FileExistsError, OSError: as `publish` would for one of them.
        """
        for name in sizes:
            path = self.root / name
            if exclusive and os.path.lexists(path):
                raise FileExistsError(errno.EEXIST, name)
            if path.is_dir() and not path.is_symlink():
                raise IsADirectoryError(errno.EISDIR, name)
        self.quota.check(user, sum(sizes.values()), sizes)
        return sorted(sizes, key=lambda name: sizes[name] - self._size_of(name))  # what makes room comes first

    def publish(
        self, source: Path, *, name: str, exclusive: bool, sha256: bytes | None, user: str, holds: Holds | None = None
    ) -> Published:
        """Make `source`, which is whole and durable, the file `name` of `user`.

        Raises:
            HoldsNoLonger: see there.
            OverQuota: that would be too much.
            FileExistsError: `exclusive`, and another file stands there.
            OSError: a folder has that name, or worse.
        """
        noting = nullcontext() if self.journal is None else self.journal.around(source, name, sha256, user)
        with self._while_it_holds(name, holds), self.quota.publishing(user, source, name), noting:
            return put_in_place(source, folder=self.root, name=name, exclusive=exclusive, sha256=sha256)

    def open(self, name: str) -> tuple[int, os.stat_result]:
        """The descriptor of a file, the caller's to close, and its fstat.

        Raises:
            FileNotFoundError: there is none, or it is no regular file.
        """
        path = self.root / name
        try:
            _expect_regular(path.lstat().st_mode)  # a device or FIFO must not even be opened
            fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            if error.errno in _ABSENT:
                raise FileNotFoundError(name) from error
            raise
        about = os.fstat(fd)
        if not stat.S_ISREG(about.st_mode):
            os.close(fd)
            raise FileNotFoundError(name)
        return fd, about

    def about(self, name: str) -> About | None:
        """What is known of a file, None where there is none."""
        try:
            about = (self.root / name).lstat()
        except OSError:
            return None
        return About(etag_of(about), about.st_size, int(about.st_mtime)) if stat.S_ISREG(about.st_mode) else None

    def _size_of(self, name: str) -> int:
        about = self.about(name)
        return 0 if about is None else about.size

    def remove(self, name: str, holds: Holds | None = None) -> None:
        """
        Raises:
            FileNotFoundError: there is no such regular file.
            HoldsNoLonger: see there.
        """
        if self.about(name) is None:
            raise FileNotFoundError(name)
        with self._while_it_holds(name, holds):
            (self.root / name).unlink()

    @contextmanager
    def _while_it_holds(self, name: str, holds: Holds | None) -> Iterator[None]:
        """With a lock of all replicas: who wants a file to be as it was is alone between looking and doing.

        Those that do not mind how it was share the lock.
        """
        folders = self._lock(fcntl.LOCK_SH if holds is None else fcntl.LOCK_EX)
        try:
            if holds is not None and not holds(self.about(name)):
                raise HoldsNoLonger
            yield
        finally:
            close_all(folders)

    def sharing(self, wait: bool = True) -> tuple[int, int]:
        """Descriptors of the root and of the hidden folder, the caller's to close.

        Until then the lock is held as those do who do not mind how a file was.

        Raises:
            BlockingIOError: it would have to be waited for.
        """
        return self._lock(fcntl.LOCK_SH, 0 if wait else fcntl.LOCK_NB)

    def _lock(self, kind: int, how: int = 0) -> tuple[int, int]:
        """Descriptors of the root, and of the hidden folder, which holds the lock."""
        root = os.open(self.root, _FOLDER)
        try:
            # else those that share it, one behind the other, would never let one be alone
            fcntl.flock(root, fcntl.LOCK_EX | how)
            hidden = os.open(HIDDEN, _FOLDER, dir_fd=root)
            try:
                fcntl.flock(hidden, kind | how)
                fcntl.flock(root, fcntl.LOCK_UN)
            except OSError:
                os.close(hidden)
                raise
        except OSError:
            os.close(root)
            raise
        return root, hidden

    def listing(self, after: str, limit: int) -> tuple[list[Entry], bool]:
        """The first `limit` files behind the name `after`, in the order of their names, and whether there are more."""
        found = heapq.nsmallest(limit + 1, self._entries(after), key=lambda entry: entry.name)
        return found[:limit], len(found) > limit

    def _entries(self, after: str) -> Iterator[Entry]:
        with os.scandir(self.root) as entries:
            for entry in entries:
                try:
                    name = check(entry.name)
                    about = entry.stat(follow_symlinks=False)
                except (BadName, OSError, UnicodeEncodeError):  # put there by hand, or just removed
                    continue
                if name > after and stat.S_ISREG(about.st_mode):
                    yield Entry(name, about.st_size, int(about.st_mtime))


def close_all(descriptors: Iterable[int]) -> None:
    """Close them."""
    for fd in descriptors:
        os.close(fd)


def _expect_regular(mode: int) -> None:
    if not stat.S_ISREG(mode):
        raise FileNotFoundError(errno.ENOENT, "no regular file")


def _sweep(path: Path, now: float) -> bool:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        if now - os.fstat(fd).st_mtime < ABANDONED_AFTER:
            return False
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)  # refused while the writer lives, whichever replica that is
        path.unlink()
    except OSError:
        return False
    finally:
        os.close(fd)
    return True
