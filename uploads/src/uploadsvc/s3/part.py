"""A file in the making: parts of an object, which is not there before it is completed. Blocks; one thread at a time."""

import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..about import Holds
from ..digests import ALGORITHMS, Digests, check
from ..part import Published
from ..sums import Sums
from .bucket import Bucket, Piece
from .spool import Spool

if TYPE_CHECKING:
    from .store import S3Store

__all__ = ["S3Part"]


class S3Part:
    """Goes to `name`. As `part.Part` is for a folder."""

    def __init__(
        self,
        bucket: Bucket,
        store: "S3Store",
        name: str,
        digests: Digests | None,
        user: str,
        holds: Holds | None,
        hashes: bool,
    ) -> None:
        self._bucket, self._store, self._name, self._user, self._holds = bucket, store, name, user, holds
        self._digests = digests or {}
        wanted = {*self._digests, "sha-256"} if hashes else {*self._digests}
        self._sums = Sums({name: ALGORITHMS[name] for name in wanted})
        self._id = uuid.uuid4().hex
        self._spool = Spool(store.root, store.part_size)
        self._upload = ""
        self._pieces: list[Piece] = []
        self._size = 0

    def append(self, pieces: Sequence[bytes | bytearray]) -> None:
        """Take `pieces` behind what is there; a part that is full goes to the store before this returns.

        Raises:
            OSError: the disk is full, the store fails, or worse.
        """
        self._sums.add(pieces)
        self._size += sum(map(len, pieces))
        for _ in self._spool.fill(pieces):
            self._send()

    def _send(self) -> None:
        if not self._upload:
            self._upload = self._bucket.begin(self._name, self._store.metadata(self._id, self._user))
        number = len(self._pieces) + 1
        self._pieces.append(self._bucket.send(self._name, self._upload, number, self._spool.body(), self._spool.size))
        self._spool.empty()

    def commit(self, size: int, name: str, exclusive: bool = False) -> Published:
        """Complete the object. Whatever goes wrong, `discard` is still the caller's to call.

        Raises:
            WrongDigest, FileExistsError, HoldsNoLonger, OSError: as `part.Part` and `store.Store.publish`.
        """
        self.settle(size)
        published = self._store.publish(
            self._make,
            name=name,
            size=size,
            exclusive=exclusive,
            sha256=self._sums.digest("sha-256") if "sha-256" in self._sums else None,
            user=self._user,
            ident=self._id,
            holds=self._holds,
        )
        self._upload = ""
        self._spool.close()
        return published

    def _make(self, condition: dict[str, str]) -> str:
        if not self._upload:
            metadata = self._store.metadata(self._id, self._user)
            return self._bucket.put(self._name, self._spool.body(), metadata, **condition)
        return self._bucket.complete(self._name, self._upload, self._pieces, **condition)

    def settle(self, size: int) -> None:
        """Send the rest; no byte may come any more.

        Raises:
            WrongDigest: its bytes are not what was said.
            OSError: it has not `size` bytes, the store fails, or worse.
        """
        if self._size != size:
            raise OSError(f"{self._size} bytes written of {size}")
        check(self._digests, self._sums.digest)
        if self._upload and self._spool.size:
            self._send()

    def discard(self) -> None:
        """Remove what is there, unless it is published; also right when nothing is there."""
        self._spool.close()
        if self._upload:
            upload, self._upload = self._upload, ""
            self._bucket.abort(self._name, upload)
