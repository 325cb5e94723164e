"""What is known of a resumable upload: one object, changed only where it is still as it was read. Blocks.

That is all the locking there is, and all that correctness rests on:

- Who writes at an upload has put a token of their own into the record (`holder`). Every change is a conditional write; so the
  first one after somebody else has put theirs there fails (`Lost`), whatever the delays, and nothing of the loser's counts.
- A part is sent under a number that the record has set aside for its holder before (`next`). So a late part of a loser's
  lies under a number that nobody else uses, and completing names parts by number and tag: it cannot get in.
- `wanted` asks the holder to let go. One that does not is taken the upload from (`shelf.FORCE`).
"""

import errno
import uuid
from dataclasses import dataclass, field

import msgspec

from ..refusals import TAKEN_OVER
from ..tus.info import Info
from .bucket import Bucket, Piece
from .calls import ChangedMeanwhile

__all__ = ["FOLDER", "Handle", "Lost", "Record"]

FOLDER = ".tus/"
"""What the keys of all that belongs to resumable uploads begin with; no file can have such a name."""


class Lost(OSError):
    """Somebody else has the upload now, or has removed it. The answer is 423."""

    refusal = TAKEN_OVER

    def __init__(self) -> None:
        super().__init__(errno.EBUSY, TAKEN_OVER.text)


class Record(msgspec.Struct, frozen=True, omit_defaults=True):
    """The state of an upload between two changes."""

    info: Info
    upload: str = ""
    """The multipart upload; empty before its first part."""
    pieces: tuple[Piece, ...] = ()
    """Parts that count."""
    tail: str = ""
    """Key of the object with the bytes behind them, which are too few for a part; empty: there are none."""
    tail_size: int = 0
    next: int = 1
    """The first number that is set aside for nobody."""
    holder: str = ""
    wanted: bool = False
    ending: bool = False
    """Whether the object is about to be completed, or is."""
    stored: bool = False
    """Whether the object stands."""
    used: bool = False
    """Whether it has become part of another upload."""
    serial: int = 0
    """Grows with each change, so that no two states are alike."""

    @property
    def offset(self) -> int:
        """Bytes that count."""
        if self.stored:
            return self.info.length or 0
        return sum(piece.size for piece in self.pieces) + self.tail_size


@dataclass(slots=True)
class Handle:
    """A record as somebody has read it."""

    bucket: Bucket
    id: str
    record: Record
    etag: str
    token: str = field(default_factory=lambda: uuid.uuid4().hex)

    @classmethod
    def read(cls, bucket: Bucket, upload_id: str) -> "Handle":
        """
        Raises:
            FileNotFoundError: there is none, or no more.
            StoreFailed: see there.
        """
        data, etag = bucket.read(key_of(upload_id))
        return cls(bucket, upload_id, msgspec.json.decode(data, type=Record), etag)

    @classmethod
    def create(cls, bucket: Bucket, upload_id: str, info: Info) -> "Handle":
        """A new one, whose holder we are.

        Raises:
            StoreFailed: see there.
        """
        made = cls(bucket, upload_id, Record(info), "")
        made.record = msgspec.structs.replace(made.record, holder=made.token)
        made.etag = bucket.put(key_of(upload_id), msgspec.json.encode(made.record), {})
        return made

    @property
    def ours(self) -> bool:
        """Whether we were its holder when we last looked."""
        return self.record.holder == self.token

    def change(self, **what: object) -> None:
        """Make it so.

        Raises:
            Lost: somebody else has changed it, other than by asking for it, or removed it.
            StoreFailed: see there.
        """
        try:
            self._change(what)
        except FileNotFoundError:
            raise Lost from None

    def _change(self, what: dict[str, object]) -> None:
        while True:
            new = msgspec.structs.replace(self.record, serial=self.record.serial + 1, **what)
            try:
                self.etag = self.bucket.put(key_of(self.id), msgspec.json.encode(new), {}, IfMatch=self.etag)
            except ChangedMeanwhile:
                now = Handle.read(self.bucket, self.id)
                if now.record == new:  # the answer to our own change got lost
                    self.etag = now.etag
                elif self.ours and now.record == _asked_for(self.record):
                    self.record, self.etag = now.record, now.etag
                    continue
                else:
                    raise Lost from None
            self.record = new
            return

    def ask(self) -> None:
        """Have the holder asked to let go, if it has not been; that somebody was quicker does not matter.

        Raises:
            FileNotFoundError, StoreFailed: as they say.
        """
        if not self.record.wanted:
            new = _asked_for(self.record)
            try:
                self.etag = self.bucket.put(key_of(self.id), msgspec.json.encode(new), {}, IfMatch=self.etag)
            except ChangedMeanwhile:
                return
            self.record = new


def key_of(upload_id: str) -> str:
    return f"{FOLDER}{upload_id}/record"


def _asked_for(record: Record) -> Record:
    return msgspec.structs.replace(record, wanted=True, serial=record.serial + 1)
