"""One resumable upload in an object store. Blocks; one thread at a time.

    .tus/ID/record      what is known of it (`record`)
           /tail-N      the bytes behind its last part, where they are too few for one
           /data        a part of a concatenation, once it is whole

The parts themselves lie in a multipart upload for the file's own key, which is no object before it is completed.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from ..part import Published
from ..tus.info import Info
from .bucket import Found, Piece
from .calls import PartsGone, StoreFailed
from .record import FOLDER, Handle, Record
from .spool import Spool

if TYPE_CHECKING:
    from .listening import Listening
    from .shelf import S3Shelf

__all__ = ["S3Upload"]


class S3Upload:
    """As `tus.upload.Upload`, and no holder's before it first changes something."""

    def __init__(self, shelf: "S3Shelf", handle: Handle) -> None:
        self._shelf, self._bucket, self.handle = shelf, shelf.bucket, handle

    # -- what is known

    @property
    def id(self) -> str:
        return self.handle.id

    @property
    def record(self) -> Record:
        return self.handle.record

    @property
    def info(self) -> Info:
        return self.record.info

    @property
    def offset(self) -> int:
        """Bytes that count."""
        return self.record.offset

    @property
    def whole(self) -> bool:
        return self.info.length is not None and self.offset == self.info.length

    @property
    def published(self) -> bool:
        return self.record.stored and not self.info.partial

    @property
    def used(self) -> bool:
        return self.record.used

    @property
    def key(self) -> str:
        """Of the object that it is to be."""
        return f"{FOLDER}{self.id}/data" if self.info.partial else self.info.name

    # -- what changes it; each raises Lost, StoreFailed

    def hold(self) -> None:
        """Become its holder."""
        if not self.handle.ours:
            self.handle.change(holder=self.handle.token, wanted=False)

    def release(self) -> None:
        """Let go; also right where it is not ours, or not any more."""
        if self.handle.ours:
            self.handle.change(holder="", wanted=False)

    def set_length(self, length: int) -> None:
        self.hold()
        self.handle.change(info=msgspec.structs.replace(self.info, length=length))

    def use(self, used: bool = True) -> None:
        """Say that it has become part of another one, or take it back."""
        self.hold()
        self.handle.change(used=used)

    def listen(self, reactor: Any, rung: Callable[[], None]) -> "Listening":
        """Call `rung` when another request wants it."""
        return self._shelf.listen(self, reactor, rung)

    # -- its bytes

    def load_tail(self, spool: Spool) -> None:
        """Have the bytes behind its last part in `spool`, which is empty."""
        if self.record.tail:
            data, _ = self._bucket.read(self.record.tail)
            for _ in spool.fill([data]):
                raise StoreFailed("a tail is as long as a part")

    def begin(self) -> str:
        """The multipart upload, made where there is none yet."""
        if not self.record.upload:
            self.hold()
            made = self._bucket.begin(self.key, self._shelf.store.metadata(self.id, self.info.user))
            self.handle.change(upload=made)
        return self.record.upload

    def number(self) -> int:
        """A number for a part, set aside."""
        self.hold()
        found = self.record.next
        self.handle.change(next=found + 1)
        return found

    def send(self, spool: Spool) -> Piece:
        """What is in `spool` as a part, which does not count yet."""
        upload, number = self.begin(), self.number()
        piece = self._bucket.send(self.key, upload, number, spool.body(), spool.size)
        spool.empty()
        return piece

    def count(self, pieces: Sequence[Piece], **more: object) -> None:
        """From now on `pieces` count, and what was the tail is in them."""
        old = self.record.tail
        self.handle.change(pieces=(*self.record.pieces, *pieces), **{"tail": "", "tail_size": 0, **more})
        if old and old != self.record.tail:
            self._bucket.delete(old)

    def keep(self, pieces: Sequence[Piece], spool: Spool) -> None:
        """As `count`, with what is in `spool` as the tail; and let go."""
        tail = f"{FOLDER}{self.id}/tail-{self.record.serial}"
        self._bucket.put(tail, spool.body(), {})
        self.count(pieces, tail=tail, tail_size=spool.size, holder="", wanted=False)

    # -- its end

    def publish(self) -> Published | None:
        """Make a whole upload a file; None where there is nothing to publish. May be called again after a crash.

        Raises:
            FileExistsError: nothing may stand under its name, and something does.
        """
        if self.record.stored or not self.whole:
            return None
        self.hold()
        spool = self._shelf.spool()
        try:
            self.load_tail(spool)
            return self.finish((), spool)
        finally:
            spool.close()

    def finish(self, pieces: Sequence[Piece], spool: Spool) -> Published | None:
        """Store it: what counts, `pieces` that do not yet, and what is in `spool`. Then let go."""
        self.hold()
        was_ending, tail = self.record.ending, self.record.tail
        if self.record.pieces or pieces:
            last = [self.send(spool)] if spool.size else []
            if pieces or last or not was_ending:
                self.count([*pieces, *last], ending=True)
        try:
            published = self._store(spool)
        except PartsGone:
            if not was_ending:
                raise
            published = None  # completed before a crash, and replaced since
        self.handle.change(stored=True, tail="", tail_size=0, holder="", wanted=False)
        if tail:
            self._bucket.delete(tail)
        return published

    def _store(self, spool: Spool) -> Published | None:
        def make(condition: dict[str, str]) -> str:
            if not self.record.pieces:
                metadata = self._shelf.store.metadata(self.id, self.info.user)
                return self._bucket.put(self.key, spool.body(), metadata, **condition)
            return self._bucket.complete(self.key, self.record.upload, list(self.record.pieces), **condition)

        info = self.info
        if not info.partial:
            return self._shelf.store.publish(
                make, name=info.name, size=self._length, exclusive=info.exclusive, sha256=None, user=info.user, ident=self.id
            )
        if self._bucket.head(self.key) is None:
            make({})
        return None

    @property
    def _length(self) -> int:
        assert self.info.length is not None  # only whole ones are stored
        return self.info.length

    def stored_as(self) -> Found:
        """The object of a part of a concatenation.

        Raises:
            FileNotFoundError: it is not there.
        """
        found = self._bucket.head(self.key)
        if found is None:
            raise FileNotFoundError(self.key)
        return found

    def remove(self) -> None:
        """Forget it; what is published stays."""
        self.hold()
        record = self.record
        self._bucket.delete(f"{FOLDER}{self.id}/record")  # without it, it is no upload any more
        self.handle.record = Record(record.info)
        if record.upload:  # there may be one although it is stored: what a crash at the very end has left
            self._bucket.abort(self.key, record.upload)
        for found in self._bucket.listing(f"{FOLDER}{self.id}/"):
            self._bucket.delete(found.key)
