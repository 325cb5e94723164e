"""What a path leads to below one root: a file with its headers, another address, a folder to list, or nothing."""

import os
from dataclasses import dataclass, field

from svckit.conditional import etag_of

from .codings import Coding
from .rules import CacheRules
from .types import content_type, shrinks
from .walk import Absent, Found, open_below, segments_of

__all__ = ["Files", "Kept", "Leads", "Listed", "Moved", "identity_of"]

Identity = tuple[int, int, int, int, int]


def identity_of(about: os.stat_result) -> Identity:
    """What changes whenever a file is replaced or written to."""
    return about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns


@dataclass(frozen=True, slots=True)
class Kept:
    """What must still be as it was for an answer to hold: names below the root, and what was there (None: nothing)."""

    path: bytes
    identity: Identity | None


@dataclass(frozen=True, slots=True)
class Leads:
    """To a file; `fd` is the receiver's to close."""

    fd: int
    about: os.stat_result
    etag: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    path: bytes
    """Names below the root of what is open."""
    others: tuple[Kept, ...]
    """What else the answer depends on."""
    plain: bool
    """Whether `path` and `others` are all that it depends on, so that it may be kept prepared."""


@dataclass(frozen=True, slots=True)
class Listed:
    """To a folder whose content may be shown; its descriptor is the receiver's to close."""

    folder: Found


@dataclass(frozen=True, slots=True)
class Moved:
    """To a folder, but without its slash."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """The files of one root, with the rules for them."""

    root: str
    prefix: bytes = b"/static"
    """Without its slash at the end."""
    index: tuple[bytes, ...] = (b"index.html",)
    clean: bool = False
    listing: bool = False
    fallbacks: tuple[bytes, ...] = ()
    """Paths of prefixes, with a slash at the end, whose index page answers for what is not there."""
    not_found: bytes = b"404.html"
    precompressed: bool = True
    cache: CacheRules = field(default_factory=lambda: CacheRules({}))

    def find(self, path: bytes, accepted: tuple[Coding, ...] = ()) -> Leads | Listed | Moved:
        """Where `path` (in normal form) leads, for a client that takes these codings.

        Raises:
            Absent: nowhere.
            OSError: the system is out of something.
        """
        try:
            return self._find(path, accepted)
        except Absent:
            for prefix in self.fallbacks:
                if path.startswith(prefix) and b"." not in path.rpartition(b"/")[2]:
                    return self._index_of(self._below(prefix), accepted, plain=False)
            raise

    def error_page(self) -> Leads | None:
        """The page that comes with 404, where there is one."""
        try:
            return self._leads([self.not_found], open_below(self.root, [self.not_found]), (), plain=False)
        except Absent:
            return None

    def _below(self, path: bytes) -> list[bytes]:
        if path != self.prefix and not path.startswith(self.prefix + b"/"):
            raise Absent
        return segments_of(path[len(self.prefix) :])

    def _find(self, path: bytes, accepted: tuple[Coding, ...]) -> Leads | Listed | Moved:
        names, slash = self._below(path), path.endswith(b"/")
        try:
            found = open_below(self.root, names)
        except Absent:
            if slash or not self.clean:
                raise
            found = None
        if found is not None and not found.is_folder:
            if slash:  # a file is no folder
                os.close(found.fd)
                raise Absent
            return self._leads(names, found, accepted)
        if slash:
            assert found is not None
            return self._folder(names, found, accepted)
        page = self._clean_page(names, accepted) if self.clean and names else None
        if found is not None:
            os.close(found.fd)
        if page is None and found is None:
            raise Absent
        return page or Moved()

    def _clean_page(self, names: list[bytes], accepted: tuple[Coding, ...]) -> Leads | None:
        names = [*names[:-1], names[-1] + b".html"]
        try:
            found = open_below(self.root, names)
        except Absent:
            return None
        if found.is_folder:
            os.close(found.fd)
            return None
        return self._leads(names, found, accepted, plain=False)

    def _folder(self, names: list[bytes], found: Found, accepted: tuple[Coding, ...]) -> Leads | Listed:
        try:
            leads = self._index_of(names, accepted)
        except Absent:
            if self.listing:
                return Listed(found)
            os.close(found.fd)
            raise
        except OSError:
            os.close(found.fd)
            raise
        os.close(found.fd)
        return leads

    def _index_of(self, names: list[bytes], accepted: tuple[Coding, ...], plain: bool = True) -> Leads:
        for at, name in enumerate(self.index):
            try:
                found = open_below(self.root, [*names, name])
            except Absent:
                continue
            if found.is_folder:  # a page would be a file
                os.close(found.fd)
                continue
            return self._leads([*names, name], found, accepted, plain and at == 0)
        raise Absent

    def _leads(self, names: list[bytes], found: Found, accepted: tuple[Coding, ...], plain: bool = True) -> Leads:
        if found.is_folder:
            os.close(found.fd)
            raise Absent
        kind, place = content_type(names[-1]), b"/".join(names)
        cache = self.cache.value_for(self.prefix + b"/" + place)
        headers = [(b"Content-Type", kind), (b"X-Content-Type-Options", b"nosniff")]
        if cache is not None:
            headers.append((b"Cache-Control", cache))
        etag = etag_of(found.about)
        others: tuple[Kept, ...] = ()
        if self.precompressed and shrinks(kind.partition(b";")[0]):
            headers.append((b"Vary", b"Accept-Encoding"))
            found, coding, others = self._form(names, found, accepted)
            if coding is not None:
                headers.append((b"Content-Encoding", coding.name))
                place += coding.extension
                etag = etag_of(found.about)[:-1] + b"-" + coding.name + b'"'
        return Leads(found.fd, found.about, etag, tuple(headers), place, others, plain)

    def _form(
        self, names: list[bytes], found: Found, accepted: tuple[Coding, ...]
    ) -> tuple[Found, Coding | None, tuple[Kept, ...]]:
        """The form to send, open, or the file itself; and what that choice depends on beside what is sent."""
        place = b"/".join(names)
        others: list[Kept] = []
        for coding in accepted:
            form = self._open_form(names, coding)
            if form is not None and form.about.st_mtime_ns >= found.about.st_mtime_ns:
                os.close(found.fd)
                return form, coding, (*others, Kept(place, identity_of(found.about)))
            others.append(Kept(place + coding.extension, None if form is None else identity_of(form.about)))
            if form is not None:  # of what the file was before
                os.close(form.fd)
        return found, None, tuple(others)

    def _open_form(self, names: list[bytes], coding: Coding) -> Found | None:
        try:
            found = open_below(self.root, [*names[:-1], names[-1] + coding.extension])
        except Absent:
            return None
        if found.is_folder:
            os.close(found.fd)
            return None
        return found
