"""The files of an object store. Blocks: all of it belongs in a thread.

A file is an object under the prefix and its name. What is not whole is no object yet, or lies below `.tus/`, so nobody who
looks into the bucket sees a piece. Two writers of one name meet in the store: the conditions of a request are made those of
the call that puts the object there, so what was looked at cannot have changed unseen.
"""

import errno
import uuid
from collections.abc import Callable, Collection, Mapping
from contextlib import nullcontext
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ..about import About, Entry, Holds, HoldsNoLonger
from ..digests import Digests
from ..journal import Event, Journal
from ..names import BadName, check
from ..part import Published
from ..quota import Boundless
from .bucket import Bucket, Found
from .calls import ChangedMeanwhile, PartsGone, StoreFailed
from .part import S3Part
from .spool import part_size

__all__ = ["IDENT", "PROBE", "USER", "S3Store"]

IDENT = "portico-id"
"""Of an object's metadata: which upload has made it."""
USER = "portico-user"
"""Of an object's metadata: the user, percent-encoded."""
PROBE = ".portico-probe"
"""Key of the object by which is found out whether the store keeps its promises; no upload can have that name."""


class S3Store:
    """As `store.Store` is for a folder."""

    remote = True

    def __init__(self, bucket: Bucket, root: Path, max_size: int, journal: Journal | None = None) -> None:
        """`root` is a folder of this host, for parts on their way, events and counts."""
        self.bucket, self.root, self.journal = bucket, root, journal
        self.part_size = part_size(max_size)
        self.quota = Boundless(root)
        self.hashes = False

    def prepare(self, now: float) -> int:
        """Make the folder, and see whether the store does what everything rests on.

        Raises:
            OSError: the folder cannot be made, the store cannot be reached or written, or it knows no conditional writes.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        key = f"{PROBE}-{uuid.uuid4().hex}"
        self.bucket.put(key, b"", {})
        try:
            for condition in ({"IfNoneMatch": "*"}, {"IfMatch": f'"{0:032x}"'}):
                try:
                    self.bucket.put(key, b"", {}, **condition)
                except ChangedMeanwhile:
                    continue
                raise StoreFailed("it knows no conditional writes (If-Match, If-None-Match of PutObject)")
        finally:
            self.bucket.delete(key)
        return 0

    def metadata(self, ident: str, user: str) -> dict[str, str]:
        """Of an object that upload `ident` of `user` makes."""
        return {IDENT: ident, USER: quote(user, safe="")}

    def new_part(
        self, digests: Digests | None = None, user: str = "", holds: Holds | None = None, hashes: bool = False, name: str = ""
    ) -> S3Part:
        """The file `name` to be, whose bytes must come to `digests`. `hashes`: somebody asks for its SHA-256."""
        return S3Part(self.bucket, self, name, digests, user, holds, hashes or self.hashes)

    def order_of(self, sizes: Mapping[str, int], exclusive: bool, user: str) -> list[str]:
        """
        Raises:
            FileExistsError: `exclusive`, and one of these is there.
            StoreFailed: see there.
        """
        if exclusive and any(self.bucket.head(name) is not None for name in sizes):
            raise FileExistsError(errno.EEXIST, "a file of the form")
        return list(sizes)

    def publish(
        self,
        make: Callable[[dict[str, str]], str],
        *,
        name: str,
        size: int,
        exclusive: bool,
        sha256: bytes | None,
        user: str,
        ident: str,
        holds: Holds | None = None,
    ) -> Published:
        """Have `make` put the object `name` there, under a condition that it is given; it returns the object's tag.

        Raises:
            FileExistsError: `exclusive`, and there is one.
            HoldsNoLonger, StoreFailed: as they say.
        """
        before = self.bucket.head(name)
        if before is not None and before.metadata.get(IDENT) == ident:  # it was put there before a crash
            return Published(name, size, sha256, before.etag.encode("ascii"), False)
        condition = _condition(before, exclusive, holds)
        event = None if self.journal is None else Event.of(name, size, sha256, user, source=ident)
        with nullcontext() if event is None or self.journal is None else self.journal.noting(event):
            try:
                etag = make(condition)
            except (ChangedMeanwhile, FileNotFoundError) as error:
                now = self.bucket.head(name)
                if now is None or now.metadata.get(IDENT) != ident:  # else an answer of the store's got lost
                    raise _what_came_between(error, exclusive, holds) from None
                etag = now.etag
        return Published(name, size, sha256, etag.encode("ascii"), before is not None)

    def has_happened(self, event: Event) -> bool:
        """Whether the object of an event is there, after a crash; one that has been replaced since is told of as that."""
        found = self.bucket.head(event.name)
        return found is not None and found.metadata.get(IDENT) == event.source

    def about(self, name: str) -> About | None:
        """
        Raises:
            StoreFailed: see there.
        """
        found = self.bucket.head(name)
        return None if found is None else _about(found)

    def read(self, name: str, etag: bytes, first: int, count: int) -> Any:
        """A stream of `count` bytes of a file from `first`, with `read(n)` and `close()`.

        Raises:
            FileNotFoundError, ChangedMeanwhile: it is not the file any more whose tag is `etag`.
            StoreFailed: see there.
        """
        return self.bucket.get(name, first, count, etag.decode("ascii"))[0]

    def remove(self, name: str, holds: Holds | None = None) -> None:
        """
        Raises:
            FileNotFoundError: there is no such file.
            HoldsNoLonger, StoreFailed: as they say.
        """
        found = self.bucket.head(name)
        if found is None:
            raise FileNotFoundError(name)
        if holds is None:
            self.bucket.delete(name)
            return
        try:
            self.bucket.delete(name, IfMatch=_held(found, holds).etag)
        except ChangedMeanwhile:
            raise HoldsNoLonger from None

    def listing(self, after: str, limit: int) -> tuple[list[Entry], bool]:
        """The first `limit` files behind the name `after`, in the order of their names, and whether there are more."""
        found: list[Entry] = []
        for each in self.bucket.listing(after=after, deep=False):
            try:
                check(each.key)
            except BadName:
                continue
            if len(found) == limit:
                return found, True
            found.append(Entry(each.key, each.size, int(each.modified)))
        return found, False

    def sweep(self, oldest: float, live: Callable[[], Collection[str]]) -> int:
        """Abort the multipart uploads that have got no part since `oldest`, and are not among `live`; returns how many."""
        for found in self.bucket.listing(PROBE):  # of a replica that was killed at its start
            if found.modified <= oldest:
                self.bucket.delete(found.key)
        since = datetime.fromtimestamp(oldest, timezone.utc)
        old = [(key, upload) for key, upload, begun in self.bucket.in_the_making() if begun < since]
        known = live() if old else ()
        return sum(self._sweep(key, upload, since) for key, upload in old if upload not in known)

    def _sweep(self, key: str, upload: str, since: datetime) -> bool:
        try:
            newest = self.bucket.last_part(key, upload)
            if newest is not None and newest >= since:
                return False
            self.bucket.abort(key, upload)
        except FileNotFoundError:
            return False
        return True


def _about(found: Found) -> About:
    return About(found.etag.encode("ascii"), found.size, int(found.modified))


def _held(found: Found, holds: Holds) -> Found:
    if not holds(_about(found)):
        raise HoldsNoLonger
    return found


def _condition(before: Found | None, exclusive: bool, holds: Holds | None) -> dict[str, str]:
    if exclusive and before is not None:
        raise FileExistsError(errno.EEXIST, before.key)
    if holds is not None and not holds(None if before is None else _about(before)):
        raise HoldsNoLonger
    if before is None:
        return {"IfNoneMatch": "*"} if exclusive or holds is not None else {}
    return {} if holds is None else {"IfMatch": before.etag}


def _what_came_between(error: Exception, exclusive: bool, holds: Holds | None) -> Exception:
    if exclusive and isinstance(error, ChangedMeanwhile):
        return FileExistsError(errno.EEXIST, "somebody was quicker")
    return HoldsNoLonger() if holds is not None else PartsGone()
