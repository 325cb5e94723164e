"""Answers that are prepared: the head of a file that was asked for before, and what must still be true for it to hold.

No content is kept. What lies at the path must be the very file that the head was made for: same inode, size and times. So a
change on disk is seen at the next request, and a link that was put in the way is met as it would be at the first one. What
is saved is all that Python would do again: parsing, resolving, conditions, headers; and for the hottest files the opening
(`opened`).
"""

import os
import stat
import time
from dataclasses import dataclass

from twisted.internet.interfaces import IReactorTime
from twisted.web.http import datetimeToString
from twisted.web.server import version

from .codings import Coding
from .files import Identity, Kept, Leads, identity_of
from .opened import Opened
from .walk import Absent, reopen

__all__ = ["Hot", "Key", "Prepared"]

Key = tuple[bytes, tuple[Coding, ...]]
"""The path in its normal form, and the codings that the client takes."""

_START = b"HTTP/1.1 200 OK\r\nServer: %s\r\nDate: " % version


@dataclass(slots=True)
class Prepared:
    """The answer to a GET without conditions or ranges."""

    root: str
    file: Kept
    folders: tuple[bytes, ...]
    """Those from below the root to the file, as addresses in the file system."""
    place: bytes
    """Where the file lies, as such an address."""
    others: tuple[tuple[bytes, Identity | None], ...]
    """What else it depends on, in the same folder, by address."""
    size: int
    fields: bytes
    """The head after the value of Date."""
    patterns: object = None
    """The routes under which the path was last found to be this service's."""
    used: bool = False
    second: int = -1
    head: bytes = b""
    fd: int = -1
    """The file, while it is kept open."""
    lent: bool = False
    """Whether it was asked for since `Opened` last looked."""

    def head_now(self) -> bytes:
        """The whole head, with the time of day."""
        second = int(time.time())
        if second != self.second:
            self.second, self.head = second, _START + datetimeToString(second) + self.fields
        return self.head

    def open(self) -> int:
        """The file, opened anew beneath its root, or -1 where the answer does not hold any longer."""
        try:
            fd = reopen(self.root, self.file.path)
        except (Absent, OSError):
            return -1  # whoever looks properly will say what is wrong
        if identity_of(os.fstat(fd)) == self.file.identity and self._others_hold():
            return fd
        os.close(fd)
        return -1

    def holds(self) -> bool:
        """Whether all is as it was, found without opening anything: each folder on the way is one, and no link."""
        try:
            for folder in self.folders:
                if not stat.S_ISDIR(os.lstat(folder).st_mode):
                    return False
            return identity_of(os.lstat(self.place)) == self.file.identity and self._others_hold()
        except OSError:
            return False

    def _others_hold(self) -> bool:
        """They lie in the file's own folder, which has been looked at; what is no file counts as nothing there."""
        for other, identity in self.others:
            try:
                about = os.lstat(other)
            except OSError:
                if identity is not None:
                    return False
            else:
                if (identity_of(about) if stat.S_ISREG(about.st_mode) else None) != identity:
                    return False
        return True


class Hot:
    """The prepared answers, at most `most` of them; those that were used lately stay."""

    def __init__(self, most: int, clock: IReactorTime) -> None:
        self._most = most
        self._kept: dict[Key, Prepared] = {}
        self.find = self._kept.get
        self.opened = Opened(clock)

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, key: Key, root: str, leads: Leads) -> None:
        """Prepare the answer for what `key` has led to."""
        if not leads.plain or not self._most:
            return
        self.forget(key)
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
        *folders, place = _addresses(root, leads.path)
        self._kept[key] = Prepared(
            root,
            Kept(leads.path, identity_of(leads.about)),
            tuple(folders),
            place,
            tuple((_addresses(root, other.path)[-1], other.identity) for other in leads.others),
            leads.about.st_size,
            b"\r\n" + b"".join(b"%s: %s\r\n" % field for field in fields) + b"\r\n",
        )

    def forget(self, key: Key) -> None:
        """It does not hold any longer."""
        prepared = self._kept.pop(key, None)
        if prepared is not None:
            self.opened.close(prepared)

    def _make_room(self) -> None:
        """The oldest goes, unless it was used since it came here: then it is the newest."""
        key = next(iter(self._kept))
        oldest = self._kept.pop(key)
        if oldest.used:
            oldest.used = False
            self._kept[key] = oldest
        else:
            self.opened.close(oldest)


def _addresses(root: str, path: bytes) -> list[bytes]:
    """Each folder on the way from the root to a file, and the file."""
    names, base = path.split(b"/"), os.fsencode(root)
    return [b"/".join((base, *names[: at + 1])) for at in range(len(names))]
