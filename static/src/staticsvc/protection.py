"""Which addresses ask for a login, and which lead to the same files without being such an address.

A file has more addresses than its own: those of its precompressed forms (NAME.gz), the clean one (without `.html`), its
folder's, where it is the index page, those of a fallback. Who protects one of them means the file. So what an open address
leads to is looked at once more, by the name of the file that was found: where that one asks for a login, the open address
does not serve it. Nor does an address that differs from a protected one in nothing but the case of letters, or in how Unicode
spells them: on some file systems (those of macOS and Windows, mounted into a container) it leads to the same file.
"""

import unicodedata
from collections.abc import Callable, Iterable, Iterator

from svckit.routemap import RouteMap

from .codings import CODINGS

__all__ = ["Protection", "address_of", "fold", "other_names"]

_PAGE = b".html"


class Protection:
    """The prefixes (and single files) that ask for a login."""

    def __init__(self, prefixes: Iterable[str] = ()) -> None:
        found = list(prefixes)
        self._as_written = RouteMap((prefix, True) for prefix in found)
        self._folded = RouteMap((prefix, True) for prefix in {fold(prefix) for prefix in found})

    def asks(self, path: bytes) -> bool:
        """Whether `path` (in normal form) asks for a login."""
        return bool(self._as_written.find(path))

    def resembles(self, path: bytes) -> bool:
        """Whether it is one that does, but for case and spelling."""
        return bool(self._folded.find(fold(path.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")))


def fold(text: str) -> str:
    """The same for all that a file system without case takes for one name."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def address_of(prefix: bytes, place: bytes) -> bytes:
    """The path, in normal form, of what lies at `place` below a root that is at `prefix` (without its slash at the end)."""
    return prefix + b"/" + place.replace(b"%", b"%25")


def other_names(place: bytes, clean: bool, is_folder: Callable[[bytes], bool]) -> Iterator[bytes]:
    """What else may be meant by the file at `place`: that of which it is a form, and its clean name.

    `data.gz` beside a folder `data` is no form of anything.
    """
    for coding in CODINGS:
        base = place.removesuffix(coding.extension)
        if base != place and not is_folder(base):
            yield base
            yield from other_names(base, clean, is_folder)
    if clean and place.endswith(_PAGE):
        yield place.removesuffix(_PAGE)
