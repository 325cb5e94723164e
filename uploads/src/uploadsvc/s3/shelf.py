"""All resumable uploads of an object store. Blocks."""

import time
import uuid
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from ..sink import Run
from ..tus.concat import length_of
from ..tus.heads import Checksum
from ..tus.info import Info, Standing
from ..tus.shelf import KEPT_AFTER_USE
from .bucket import COPY_MOST, Found
from .listening import Listening
from .record import FOLDER, Handle, Lost
from .spool import LEAST_PART, Spool
from .store import S3Store
from .stretch import S3Stretch
from .upload import S3Upload

__all__ = ["AGAIN", "FORCE", "S3Shelf"]

FORCE = 5.0
"""Seconds after which an upload is taken from a holder that does not let go: it has died, or hangs."""
AGAIN = 0.5
"""Seconds between two tries to open an upload that somebody has."""
_PIECE = 1 << 20


class S3Shelf:
    """As `tus.shelf.Shelf`."""

    again = AGAIN

    def __init__(self, store: S3Store, run: Run, now: Callable[[], float] = time.monotonic) -> None:
        """`run` is for the looks of whoever works at an upload; `now` is in seconds."""
        self.store, self.bucket, self._run, self._now = store, store.bucket, run, now
        self._asked: dict[str, float] = {}

    def prepare(self) -> None:
        """Nothing has to be there."""

    def spool(self) -> Spool:
        return Spool(self.store.root, self.store.part_size)

    def create(self, info: Info) -> S3Upload:
        """A new upload; without a name of its own its file is called as its identifier.

        Raises:
            StoreFailed: see there.
        """
        upload_id = uuid.uuid4().hex
        if not info.name:
            info = msgspec.structs.replace(info, name=upload_id)
        return S3Upload(self, Handle.create(self.bucket, upload_id, info))

    def open(self, upload_id: str, ring: bool = True) -> S3Upload | None:
        """The upload; None where somebody works at it, who has been asked to let go.

        Raises:
            FileNotFoundError: there is none.
            StoreFailed: see there.
        """
        upload = S3Upload(self, Handle.read(self.bucket, upload_id))
        holder = upload.record.holder
        if not holder:
            return upload
        if not ring:
            return None
        since = self._asked.setdefault(holder, self._now())
        if self._now() - since >= FORCE:
            with suppress(Lost):  # it has gone on just now; it is asked again
                upload.hold()
                self._asked.pop(holder, None)
                return upload
            return None
        upload.handle.ask()
        for each in [each for each, when in self._asked.items() if self._now() - when > 10 * FORCE]:
            self._asked.pop(each, None)
        return None

    def standing(self, upload_id: str, user: str) -> Standing | None:
        """How far it is; None where there is none of this user's."""
        try:
            record = Handle.read(self.bucket, upload_id).record
        except FileNotFoundError:
            return None
        if record.info.user != user:
            return None
        done = record.stored if not record.info.partial else record.offset == record.info.length
        return Standing(record.offset, record.info.length, done)

    def listen(self, upload: S3Upload, reactor: Any, rung: Callable[[], None]) -> Listening:
        return Listening(self.bucket, upload.handle, self._run, reactor, rung)

    def stretch(self, upload: S3Upload, checksum: Checksum | None) -> S3Stretch:
        """The body of a request for an upload."""
        return S3Stretch(upload, checksum, self.spool())

    # -- several become one

    def concatenate(self, info: Info, parts: Sequence[S3Upload], max_size: int) -> str:
        """Make and publish the upload that `parts` make up; returns its identifier. The store copies where it can.

        Raises:
            CannotConcatenate, Lost, FileNotFoundError, FileExistsError, StoreFailed: as they say.
        """
        length = length_of(parts, max_size)
        for part in parts:
            part.publish()
        upload = self.create(msgspec.structs.replace(info, length=length))
        try:
            self._fill(upload, [part.stored_as() for part in parts])
        except BaseException:
            upload.remove()
            raise
        for part in {part.id: part for part in parts}.values():
            if not part.used:
                part.use()
        return upload.id

    def _fill(self, upload: S3Upload, sources: Sequence[Found]) -> None:
        sources = [source for source in sources if source.size]
        spool = self.spool()
        if all(source.size >= LEAST_PART for source in sources[:-1]) and sources:
            upload.finish([piece for source in sources for piece in self._copy(upload, source)], spool)
            return
        stretch = S3Stretch(upload, None, spool)  # too small for the store to copy them
        size = 0
        for source in sources:
            body, _ = self.bucket.get(source.key, etag=source.etag)
            try:
                while data := body.read(_PIECE):
                    stretch.append([data])
                    size += len(data)
            finally:
                body.close()
        stretch.commit(size)

    def _copy(self, upload: S3Upload, source: Found) -> Iterator[Any]:
        step = -(-source.size // -(-source.size // COPY_MOST))  # all about alike: none but the last may be short
        for first in range(0, source.size, step):
            count = min(step, source.size - first)
            yield self.bucket.copy(upload.key, upload.begin(), upload.number(), source, first, count)

    # -- what nobody goes on with

    def sweep(self, now: float, expire: float) -> int:
        """Remove what nobody has touched for `expire` seconds; returns how many were not whole.

        That goes for the parts of PUTs and forms, too, as nothing else tells of a replica that has died.
        """
        all_of_them = list(self.bucket.listing(FOLDER))
        records = {found.key.split("/")[1]: found for found in all_of_them if found.key.endswith("/record")}
        for found in all_of_them:
            if found.key.split("/")[1] not in records and now - found.modified >= expire:
                self.bucket.delete(found.key)  # a crash in the middle of a removal
        swept = sum(self._sweep(found, now, expire) for found in records.values())
        return swept + self.store.sweep(now - expire, self._live)

    def _live(self) -> Collection[str]:
        found: set[str] = set()
        for each in self.bucket.listing(FOLDER):
            if each.key.endswith("/record"):
                with suppress(FileNotFoundError):
                    found.add(Handle.read(self.bucket, each.key.split("/")[1]).record.upload)
        return found

    def _sweep(self, found: Found, now: float, expire: float) -> bool:
        if now - found.modified < min(expire, KEPT_AFTER_USE):
            return False
        try:
            upload = S3Upload(self, Handle.read(self.bucket, found.key.split("/")[1]))
            if upload.handle.etag != found.etag:
                return False  # somebody goes on with it
            if now - found.modified < (min(KEPT_AFTER_USE, expire) if upload.used else expire):
                return False
            broken_off = not (upload.record.stored or upload.used)
            upload.remove()
        except (OSError, Lost):
            return False  # another replica was quicker, or the next time
        return broken_off
