"""Folders that lie under several roots: what is in them has an address below each, and a login before one is before all.

That is so where the login is before a part of a root. Before a root as a whole it is a matter of the address: another root may
show a part of that folder to everybody, and is there for that.

Folders are compared as they are when the service starts, by device and inode, so that a link or a second mount of the same
folder makes no difference.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .protection import Protection, address_of

__all__ = ["Elsewhere", "Shared", "elsewhere_of", "shared_by"]


@dataclass(frozen=True, slots=True)
class Shared:
    """Another root that has what lies at `ours` and below it: there it is at `theirs`. Both end with a slash or are empty."""

    prefix: bytes
    ours: bytes
    theirs: bytes

    def address(self, place: bytes) -> bytes | None:
        """The address below the other root of what lies at `place` below ours, where it is there."""
        if not place.startswith(self.ours):
            return None
        return address_of(self.prefix, self.theirs + place[len(self.ours) :])


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What of a root's files asks for a login below another root."""

    shared: tuple[Shared, ...] = ()
    parts: Protection = field(default_factory=Protection)

    def protected(self, place: bytes) -> bytes | None:
        """An address that asks for a login, and means what lies at `place` below our root."""
        for other in self.shared:
            address = other.address(place)
            if address is not None and self.parts.resembles(address):
                return address
        return None


def elsewhere_of(roots: Mapping[str, str], protected: Iterable[str]) -> dict[str, Elsewhere]:
    """For each root, given as prefix and folder; `protected` are prefixes in their normal form."""
    parts = Protection(one for one in protected if not any(root.startswith(one) for root in roots))
    return {prefix: Elsewhere(shared, parts) for prefix, shared in shared_by(roots).items()}


def shared_by(roots: Mapping[str, str]) -> dict[str, tuple[Shared, ...]]:
    """For each root, given as prefix and folder, what others have of it."""
    return {prefix: tuple(_others(prefix, roots)) for prefix in roots}


def _others(prefix: str, roots: Mapping[str, str]) -> Iterator[Shared]:
    for other, folder in roots.items():
        if other == prefix:
            continue
        at = other.rstrip("/").encode("utf-8")
        if (below := _below(folder, roots[prefix])) is not None:
            yield Shared(at, below, b"")
        elif (below := _below(roots[prefix], folder)) is not None:
            yield Shared(at, b"", below)


def _below(folder: str, other: str) -> bytes | None:
    """The names from `other` to `folder`, with a slash at the end of each; None: it does not lie there."""
    here = Path(os.path.realpath(folder))
    for above in (here, *here.parents):
        if above.samefile(other):
            return b"".join(os.fsencode(name) + b"/" for name in here.relative_to(above).parts)
    return None
