"""Uploads in the making, on disk: a folder for each, which any replica may open.

    .tus/ID/bell        the lock (`bell`)
           /info        what the upload is to be, as JSON
           /data        what has come; its size is the offset. Gone once the file is published
           /used        there once it has become part of another upload
           /doubtful    there while a body comes whose checksum is not known yet: the size of `data` that is sure

All of this blocks and belongs in a thread.
"""

import os
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec
from twisted.internet.interfaces import IReactorFDSet

from ..part import MODE, Published, sync_folder, write_all
from ..quota import own
from ..store import Store
from .bell import Listening, Lock, make, try_lock
from .concat import concatenate
from .heads import Checksum
from .info import Info, Standing
from .stretch import Stretch

__all__ = ["AGAIN", "KEPT_AFTER_USE", "SHELF", "Shelf", "Upload"]

SHELF = ".tus"
"""Sub-folder of the store's root; no upload can have that name."""
KEPT_AFTER_USE = 600.0
"""Seconds that the parts of a concatenation are kept: the client may not have got the answer, and asks again."""
AGAIN = 0.05
"""Seconds between tries to get hold of an upload."""
HALF_MADE = 60.0
"""Seconds after which a folder without `info` is what a crash has left."""


class Upload:
    """One upload, whose lock is ours until `release`."""

    def __init__(self, folder: Path, lock: Lock, store: Store) -> None:
        """
        Raises:
            FileNotFoundError: it is being removed, or was not made in full.
        """
        self.folder, self.lock, self._store = folder, lock, store
        self.data = folder / "data"
        self.info = msgspec.json.decode((folder / "info").read_bytes(), type=Info)
        self._settle_doubts()

    @property
    def id(self) -> str:
        return self.folder.name

    @property
    def published(self) -> bool:
        """Only publishing takes `data` away while `info` is there."""
        return not self.data.exists()

    @property
    def offset(self) -> int:
        """Bytes that have come."""
        try:
            return self.data.stat().st_size
        except FileNotFoundError:
            return self.info.length or 0

    @property
    def whole(self) -> bool:
        return self.info.length is not None and self.offset == self.info.length

    def save(self, info: Info) -> None:
        """Write `info` in place of what is known."""
        _write(self.folder / "info", msgspec.json.encode(info))
        self.info = info

    def set_length(self, length: int) -> None:
        """Say how many bytes it will have, where that was put off."""
        self.save(msgspec.structs.replace(self.info, length=length))

    @property
    def used(self) -> bool:
        """Whether it has become part of another upload; it is kept for a while, and does not count any more."""
        return (self.folder / "used").exists()

    def use(self, used: bool = True) -> None:
        """Say so, or take it back."""
        if used:
            (self.folder / "used").touch()
        else:
            (self.folder / "used").unlink(missing_ok=True)

    def doubt(self) -> None:
        """What comes now counts only after `trust`."""
        _write(self.folder / "doubtful", b"%d" % self.offset)

    def trust(self) -> None:
        """What has come is right."""
        with suppress(FileNotFoundError):
            (self.folder / "doubtful").unlink()

    def _settle_doubts(self) -> None:
        try:
            sure = int((self.folder / "doubtful").read_bytes())
        except FileNotFoundError:
            return
        os.truncate(self.data, sure)
        self.trust()

    def publish(self) -> Published | None:
        """Make a whole upload a file; None where there is nothing to publish. May be called again after a crash.

        Raises:
            FileExistsError: nothing may stand under its name, and something does.
            OSError: a folder has that name, or worse.
        """
        if self.info.partial or self.published or not self.whole:
            return None
        info = self.info
        self._make_durable()
        return self._store.publish(self.data, name=info.name, exclusive=info.exclusive, sha256=None, user=info.user)

    def _make_durable(self) -> None:
        """Its last bytes may be those of a request that was broken off, by the client or a crash, before it could do that."""
        fd = os.open(self.data, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def remove(self) -> None:
        """Forget it; what is published stays."""
        (self.folder / "info").unlink(missing_ok=True)  # without it, it is no upload any more
        _remove_half_made(self.folder)

    def release(self) -> None:
        self.lock.release()

    def listen(self, reactor: IReactorFDSet, rung: Callable[[], None]) -> Listening:
        """Call `rung` when another request wants it."""
        return Listening(self.lock, reactor, rung)


class Shelf:
    """All uploads in the making that go to one store."""

    again = AGAIN

    def __init__(self, store: Store) -> None:
        self.store = store
        self.folder = store.root / SHELF

    def prepare(self) -> None:
        """
        Raises:
            OSError: the folder cannot be made.
        """
        self.folder.mkdir(exist_ok=True)

    def create(self, info: Info) -> Upload:
        """A new upload; without a name of its own its file is called as its identifier.

        Raises:
            OSError: the disk is full, or worse; nothing is left of it then.
        """
        folder = self.folder / uuid.uuid4().hex
        folder.mkdir(mode=0o750)
        try:
            return self._make(folder, info)
        except OSError:
            with suppress(OSError):
                _remove_half_made(folder)
            raise

    def _make(self, folder: Path, info: Info) -> Upload:
        make(folder / "bell")
        lock = try_lock(folder / "bell")
        assert lock is not None  # nobody knows of it yet
        os.close(os.open(folder / "data", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, MODE))
        if not info.name:
            info = msgspec.structs.replace(info, name=folder.name)
        own(folder / "data", info.user)
        _write(folder / "info", msgspec.json.encode(info))
        sync_folder(self.folder)
        return Upload(folder, lock, self.store)

    def open(self, upload_id: str, ring: bool = True) -> Upload | None:
        """The upload, locked; None where somebody works at it, who has been asked to let go.

        Raises:
            FileNotFoundError: there is none.
        """
        folder = self.folder / upload_id
        lock = try_lock(folder / "bell", ring)
        if lock is None:
            return None
        try:
            return Upload(folder, lock, self.store)
        except OSError:
            lock.release()
            raise

    def standing(self, upload_id: str, user: str) -> Standing | None:
        """How far it is, without its lock; None where there is none of this user's. Blocks."""
        folder = self.folder / upload_id
        try:
            info = msgspec.json.decode((folder / "info").read_bytes(), type=Info)
        except FileNotFoundError:
            return None
        if info.user != user:
            return None
        try:
            size = (folder / "data").stat().st_size
        except FileNotFoundError:
            return Standing(info.length or 0, info.length, True)
        return Standing(size, info.length, info.partial and size == info.length)

    def stretch(self, upload: Upload, checksum: Checksum | None) -> Stretch:
        """The body of a request for an upload that is ours."""
        return Stretch(upload, checksum)

    def concatenate(self, info: Info, parts: Sequence[Upload], max_size: int) -> str:
        """See `concat.concatenate`."""
        return concatenate(self, info, parts, max_size)

    def sweep(self, now: float, expire: float) -> int:
        """Remove what nobody has touched for `expire` seconds; returns how many were not whole."""
        return sum(self._sweep(folder, now, expire) for folder in self._folders())

    def _folders(self) -> Iterator[Path]:
        with suppress(FileNotFoundError):
            yield from self.folder.iterdir()

    def _sweep(self, folder: Path, now: float, expire: float) -> bool:
        try:
            age = _age(folder, now)
            if age < min(expire, KEPT_AFTER_USE, HALF_MADE):
                return False
            if not (folder / "info").exists():
                return age >= HALF_MADE and _remove_half_made(folder)
            upload = self.open(folder.name, ring=False)
        except OSError:
            return False  # another replica was quicker
        if upload is None:
            return False
        try:
            age = _age(folder, now)  # again, as somebody may have gone on with it before we had the lock
            if age < (min(KEPT_AFTER_USE, expire) if upload.used else expire):
                return False
            broken_off = not (upload.published or upload.used)
            upload.remove()
        except OSError:
            return False
        finally:
            upload.release()
        return broken_off


def _age(folder: Path, now: float) -> float:
    """Seconds since something was written."""
    return now - max(path.lstat().st_mtime for path in (folder, *folder.iterdir()))


def _remove_half_made(folder: Path) -> bool:
    for path in folder.iterdir():
        path.unlink(missing_ok=True)
    folder.rmdir()
    return True


def _write(path: Path, content: bytes) -> None:
    """All of it or nothing, also over a crash."""
    fresh = path.with_suffix(".new")
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        write_all(fd, [content])
        os.fsync(fd)
    finally:
        os.close(fd)
    fresh.replace(path)
    sync_folder(path.parent)
