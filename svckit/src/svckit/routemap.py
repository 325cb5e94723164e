"""Longest prefix on segment boundaries, over paths in their normal form (`svckit.paths`).

A pattern is a prefix (`/static/` or `/static`, which mean the same: the path `/static` and everything below it) or an exact
path, written with an equals sign (`=/`). `/up` does not catch `/uploads`. An exact path wins over every prefix, a longer
prefix over a shorter one. Finding costs one dictionary look-up for each segment of the deepest pattern, however many
patterns there are and however long the path is.
"""

from collections.abc import Iterable
from typing import Generic, TypeVar

__all__ = ["RouteMap"]

T = TypeVar("T")


class RouteMap(Generic[T]):
    """Patterns, each with a value."""

    def __init__(self, patterns: Iterable[tuple[str, T]] = ()) -> None:
        """
        Raises:
            ValueError: a pattern is malformed, or stands there twice.
        """
        self._exact: dict[bytes, T] = {}
        self._prefixes: dict[bytes, T] = {}
        for pattern, value in patterns:
            exact = pattern.startswith("=")
            path = pattern.removeprefix("=").encode("utf-8")
            if not path.startswith(b"/"):
                raise ValueError(f"{pattern!r}: a prefix starts with a slash, an exact path with '=/'")
            table = self._exact if exact else self._prefixes
            key = path if exact else path.rstrip(b"/")
            if key in table:
                raise ValueError(f"{pattern!r} stands there twice")
            table[key] = value
        self._depth = max((key.count(b"/") for key in self._prefixes), default=-1)

    def find(self, path: bytes) -> T | None:
        """The value of the pattern that owns `path` (in normal form), or None."""
        found = self._exact.get(path)
        if found is not None or self._depth < 0:
            return found
        prefixes = self._prefixes
        segments = path.split(b"/", self._depth + 1)[: self._depth + 1]
        while segments:
            found = prefixes.get(b"/".join(segments))
            if found is not None:
                return found
            segments.pop()
        return None
