"""How much there may be: on the file system, in the store, and of each user.

Nothing is counted in memory, as replicas share the store and files come and go behind their back: where there is a bound on the
store or its users, the folder is read, once from a request's head and once when its file is to be published, then under a
lock of all replicas. So what is published never exceeds a bound, whoever else publishes meanwhile. Whose a file is says an
extended attribute of it.
"""

import errno
import fcntl
import os
import stat
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from . import refusals
from .refusals import Refusal

__all__ = ["OFTEN", "OWNER", "Boundless", "Growing", "OverQuota", "Quota"]

OWNER = "user.portico.user"
"""The extended attribute with the name of a file's user, in UTF-8."""
OFTEN = 1 << 20
"""Bytes that a file grows by between two looks at what is free."""


class OverQuota(OSError):
    """Publishing the file would exceed a bound. The answer is 507."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(errno.EDQUOT, refusal.text)
        self.refusal = refusal


@dataclass(frozen=True, slots=True)
class Quota:
    """The bounds, in bytes."""

    root: Path
    total: int | None = None
    """Of all files, and of what has come of unfinished ones that are resumable."""
    each: int | None = None
    """The same for each user."""
    keep_free: int = 0
    """That uploads leave free on the file system."""

    @property
    def counts(self) -> bool:
        """Whether the folder has to be read."""
        return self.total is not None or self.each is not None

    def spare(self) -> int:
        """Bytes that uploads may take before the file system is as full as `keep_free` allows; 0 where that is not known."""
        try:
            about = os.statvfs(self.root)
        except OSError:
            return 0
        return about.f_bavail * about.f_frsize - self.keep_free

    def expect_space(self, length: int, name: str) -> None:
        """
        Raises:
            OverQuota: `refusal_for_space` refuses.
        """
        refusal = self.refusal_for_space(length, name)
        if refusal is not None:
            raise OverQuota(refusal)

    def refusal_for_space(self, length: int | None, name: str = "") -> Refusal | None:
        """507 where `length` bytes, which are to be the file `name`, do not fit on the file system. Does not block for long.

        The old file and the new one are there at once for a moment: all of the new one has to fit, but what is to stay free
        is measured when the old one is gone.
        """
        try:
            about = os.statvfs(self.root)
        except OSError:
            return None  # whatever it is, writing will tell
        free = about.f_bavail * about.f_frsize
        left = free - (length or 0)
        if left >= self.keep_free:
            return None
        return refusals.DISK_FULL if not name or left < 0 or left + self._blocks_of(name) < self.keep_free else None

    def _blocks_of(self, name: str) -> int:
        """Bytes that come free with a file; 0 where there is none, or other names keep it."""
        try:
            about = (self.root / name).lstat()
        except OSError:
            return 0
        return about.st_blocks * 512 if stat.S_ISREG(about.st_mode) and about.st_nlink == 1 else 0

    def refusal(self, user: str, length: int | None, names: Collection[str] | None = ()) -> Refusal | None:
        """507 where `length` bytes more, which are to be the files `names`, exceed a bound of the store or of `user`. Blocks.

        Where it is not known what they replace (None), only what exceeds a bound by itself is refused yet.
        """
        if not self.counts:
            return None
        return self._alone(length or 0) if names is None else self._refusal(user, length or 0, names)

    def _alone(self, length: int) -> Refusal | None:
        if self.total is not None and length > self.total:
            return refusals.STORE_FULL
        return refusals.USER_FULL if self.each is not None and length > self.each else None

    def check(self, user: str, length: int, names: Collection[str]) -> None:
        """Whether `length` bytes of `user` may become the files `names`. Blocks.

        Raises:
            OverQuota: they are too much.
        """
        refusal = self._refusal(user, length, names) if self.counts else None
        if refusal is not None:
            raise OverQuota(refusal)

    def _refusal(self, user: str, more: int, replaced: Collection[str] = ()) -> Refusal | None:
        in_all = of_user = 0
        for path, size in self._files():
            if path.name in replaced and path.parent == self.root:
                continue
            in_all += size
            if self.each is not None and _owner(path) == user:
                of_user += size
        if self.total is not None and in_all + more > self.total:
            return refusals.STORE_FULL
        if self.each is not None and of_user + more > self.each:
            return refusals.USER_FULL
        return None

    def _files(self) -> Iterator[tuple[Path, int]]:
        for folder in (self.root, *self.root.glob(".tus/*")):
            if (folder / "used").exists() and folder != self.root:
                continue  # it is part of another upload, which counts
            with suppress(OSError):
                for entry in folder.iterdir():
                    with suppress(OSError):
                        if (folder == self.root or entry.name == "data") and entry.is_file() and not entry.is_symlink():
                            yield entry, entry.stat().st_size

    @contextmanager
    def publishing(self, user: str, source: Path, name: str) -> Iterator[None]:
        """While `source` becomes the file `name`. Blocks.

        Raises:
            OverQuota: it would be too much.
            OSError: worse.
        """
        own(source, user)
        if not self.counts:
            yield
            return
        fd = os.open(self.root / ".parts" / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            resumable = source.parent.parent.name == ".tus"  # it is counted already, where it lies
            self.check(user, 0 if resumable else source.stat().st_size, (name,))
            yield
        finally:
            os.close(fd)

    def check_file_system(self) -> None:
        """
        Raises:
            OSError: users are to be bounded, and the file system does not keep whose a file is.
        """
        if self.each is not None:
            os.setxattr(self.root, OWNER, b"")


class Boundless(Quota):
    """Of a store that has no bound of ours, and whose files do not lie on this host."""

    def refusal_for_space(self, length: int | None, name: str = "") -> Refusal | None:
        return None


class Growing:
    """A file on its way: what was free when it began may be another's by now, or its length was never said. Blocks."""

    __slots__ = ("_name", "_quota", "_since")

    def __init__(self, quota: Quota, name: str) -> None:
        """`name` is what it is to replace; empty: nothing."""
        self._quota, self._name, self._since = quota, name, 0

    def by(self, count: int) -> None:
        """It has `count` bytes more.

        Raises:
            OverQuota: as `now`.
        """
        self._since += count
        if self._since >= OFTEN:
            self.now()

    def now(self) -> None:
        """
        Raises:
            OverQuota: with what is written of it, less is free than is to be.
        """
        self._since = 0
        self._quota.expect_space(0, self._name)


def own(path: Path | int, user: str) -> None:
    """Note whose it is, where the file system can."""
    if user:
        with suppress(OSError):
            os.setxattr(path, OWNER, user.encode("utf-8"))


def _owner(path: Path) -> str:
    try:
        return os.getxattr(path, OWNER, follow_symlinks=False).decode("utf-8", "replace")
    except OSError:
        return ""
