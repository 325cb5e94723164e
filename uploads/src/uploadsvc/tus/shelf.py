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
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from ..part import MODE, sync_folder
from ..quota import own
from ..store import Store
from .bell import make, try_lock
from .concat import concatenate
from .folder import age_of, remove, write
from .heads import Checksum
from .info import Info, Standing
from .stretch import Stretch
from .upload import Upload

__all__ = ["AGAIN", "KEPT_AFTER_USE", "SHELF", "Shelf"]

SHELF = ".tus"
"""Sub-folder of the store's root; no upload can have that name."""
KEPT_AFTER_USE = 600.0
"""Seconds that the parts of a concatenation are kept: the client may not have got the answer, and asks again."""
AGAIN = 0.05
"""Seconds between tries to get hold of an upload."""
HALF_MADE = 60.0
"""Seconds after which a folder without `info` is what a crash has left."""


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
                remove(folder)
            raise

    def _make(self, folder: Path, info: Info) -> Upload:
        make(folder / "bell")
        lock = try_lock(folder / "bell")
        assert lock is not None  # nobody knows of it yet
        os.close(os.open(folder / "data", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, MODE))
        if not info.name:
            info = msgspec.structs.replace(info, name=folder.name)
        own(folder / "data", info.user)
        write(folder / "info", msgspec.json.encode(info))
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
            age = age_of(folder, now)
            if age < min(expire, KEPT_AFTER_USE, HALF_MADE):
                return False
            if not (folder / "info").exists():
                return age >= HALF_MADE and remove(folder)
            upload = self.open(folder.name, ring=False)
        except OSError:
            return False  # another replica was quicker
        if upload is None:
            return False
        try:
            age = age_of(folder, now)  # again, as somebody may have gone on with it before we had the lock
            if age < (min(KEPT_AFTER_USE, expire) if upload.used else expire):
                return False
            broken_off = not (upload.published or upload.used)
            upload.remove()
        except OSError:
            return False
        finally:
            upload.release()
        return broken_off
