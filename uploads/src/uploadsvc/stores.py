"""What the protocol wants of a store, whichever it is: a folder (`store`, `tus.shelf`) or an object store (`s3`).

All of it blocks, and belongs in a thread where the store is `remote`; of a folder, looking something up does not take long.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from .about import About, Entry, Holds
from .digests import Digests
from .journal import Journal
from .part import Published
from .quota import Quota
from .sink import Body
from .tus.heads import Checksum
from .tus.info import Info, Standing
from .work import Listening

__all__ = ["AnyPart", "AnyShelf", "AnyStore", "AnyUpload", "RemoteStore"]


class AnyPart(Protocol):
    """A file in the making; see `part.Part`."""

    def append(self, pieces: Sequence[bytes | bytearray]) -> None: ...

    def settle(self, size: int) -> None: ...

    def commit(self, size: int, name: str, exclusive: bool = False) -> Published: ...

    def discard(self) -> None: ...


class AnyStore(Protocol):
    """The files; see `store.Store`."""

    @property
    def remote(self) -> bool:
        """Whether looking something up goes over a network."""

    @property
    def root(self) -> Path:
        """Folder of this host for counts and events, and for the files where it is a folder's store."""

    @property
    def quota(self) -> Quota: ...

    @property
    def journal(self) -> Journal | None: ...

    def prepare(self, now: float) -> int:
        """Make it usable; returns how many parts a crash has left there."""

    def about(self, name: str) -> About | None: ...

    def new_part(
        self, digests: Digests | None = None, user: str = "", holds: Holds | None = None, hashes: bool = False, name: str = ""
    ) -> AnyPart: ...

    def order_of(self, sizes: Mapping[str, int], exclusive: bool, user: str) -> list[str]: ...

    def remove(self, name: str, holds: Holds | None = None) -> None: ...

    def listing(self, after: str, limit: int) -> tuple[list[Entry], bool]: ...


class RemoteStore(AnyStore, Protocol):
    """One whose files do not lie on this host."""

    def read(self, name: str, etag: bytes, first: int, count: int) -> Any:
        """A stream of the file's bytes; see `s3.store.S3Store.read`."""


class AnyUpload(Protocol):
    """A resumable upload that is ours until `release`; see `tus.upload.Upload`."""

    @property
    def id(self) -> str: ...

    @property
    def info(self) -> Info: ...

    @property
    def offset(self) -> int: ...

    @property
    def whole(self) -> bool: ...

    @property
    def published(self) -> bool: ...

    def set_length(self, length: int) -> None: ...

    def publish(self) -> Published | None: ...

    def remove(self) -> None: ...

    def release(self) -> None: ...

    def listen(self, reactor: Any, rung: Callable[[], None]) -> Listening:
        """Call `rung` when another request wants it."""


class AnyShelf(Protocol):
    """All of these; see `tus.shelf.Shelf`."""

    @property
    def again(self) -> float:
        """Seconds between two tries to open an upload that somebody else has."""

    def prepare(self) -> None: ...

    def create(self, info: Info) -> AnyUpload: ...

    def open(self, upload_id: str, ring: bool = True) -> AnyUpload | None: ...

    def standing(self, upload_id: str, user: str) -> Standing | None: ...

    def sweep(self, now: float, expire: float) -> int: ...

    def stretch(self, upload: Any, checksum: Checksum | None) -> Body: ...

    def concatenate(self, info: Info, parts: Sequence[Any], max_size: int) -> str: ...
