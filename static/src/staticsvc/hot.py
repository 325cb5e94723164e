"""Answers that are prepared: the head of a file that was asked for before, and what must still be true for it to hold.

No file stays open and no content is kept. Each time the file is opened anew, beneath its root, and must be the very one that
the head was made for: same inode, size and times. So a change on disk is seen at the next request, and a link that was put
in the way is met as it would be at the first one. What is saved is all that Python would do again: parsing, resolving,
conditions, headers.
"""

import os
import time
from dataclasses import dataclass

from twisted.web.http import datetimeToString
from twisted.web.server import version

from .codings import Coding
from .files import Identity, Kept, Leads, identity_of
from .walk import Absent, open_below, reopen

__all__ = ["Hot", "Key", "Prepared"]

Key = tuple[bytes, tuple[Coding, ...]]
"""The path in its normal form, and the codings that the client takes."""

_START = b"HTTP/1.1 200 OK\r\nServer: %s\r\nDate: " % version


@dataclass(slots=True)
class Prepared:
    """The answer to a GET without conditions or ranges."""

    root: str
    file: Kept
    others: tuple[Kept, ...]
    size: int
    fields: bytes
    """The head after the value of Date."""
    patterns: object = None
    """The routes under which the path was last found to be this service's."""
    used: bool = False
    second: int = -1
    head: bytes = b""

    def head_now(self) -> bytes:
        """The whole head, with the time of day."""
        second = int(time.time())
        if second != self.second:
            self.second, self.head = second, _START + datetimeToString(second) + self.fields
        return self.head

    def open(self) -> int:
        """The file, or -1 where the answer does not hold any longer."""
        try:
            for other in self.others:
                if self._identity(other.path) != other.identity:
                    return -1
            fd = reopen(self.root, self.file.path)
        except (Absent, OSError):
            return -1  # whoever looks properly will say what is wrong
        if identity_of(os.fstat(fd)) == self.file.identity:
            return fd
        os.close(fd)
        return -1

    def _identity(self, path: bytes) -> Identity | None:
        try:
            found = open_below(self.root, path.split(b"/"))
        except Absent:
            return None
        os.close(found.fd)
        return None if found.is_folder else identity_of(found.about)


class Hot:
    """The prepared answers, at most `most` of them; those that were used lately stay."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: dict[Key, Prepared] = {}
        self.find = self._kept.get

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, key: Key, root: str, leads: Leads) -> None:
        """Prepare the answer for what `key` has led to."""
        if not leads.plain or not self._most:
            return
        self._kept.pop(key, None)
        while len(self._kept) >= self._most:
            self._make_room()
        modified = min(int(leads.about.st_mtime), int(time.time()))
        fields = [
            *leads.headers,
            (b"ETag", leads.etag),
            (b"Last-Modified", datetimeToString(modified)),
            (b"Accept-Ranges", b"bytes"),
            (b"Content-Length", b"%d" % leads.about.st_size),
        ]
        self._kept[key] = Prepared(
            root,
            Kept(leads.path, identity_of(leads.about)),
            leads.others,
            leads.about.st_size,
            b"\r\n" + b"".join(b"%s: %s\r\n" % field for field in fields) + b"\r\n",
        )

    def forget(self, key: Key) -> None:
        """It does not hold any longer."""
        self._kept.pop(key, None)

    def _make_room(self) -> None:
        """The oldest goes, unless it was used since it came here: then it is the newest."""
        key = next(iter(self._kept))
        oldest = self._kept.pop(key)
        if oldest.used:
            oldest.used = False
            self._kept[key] = oldest
