"""Host names as routes write them: exact, or with one leading wildcard label.

`*.example.org` stands for exactly one label more than `example.org`, as in a certificate (RFC 6125 section 6.4.3): it matches
`a.example.org`, neither `example.org` nor `a.b.example.org`. Names are compared without case and without a trailing dot.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Names"]

_name = re.compile(r"(?:\*\.)?+(?:[0-9a-z_-]{1,63}(?:\.[0-9a-z_-]{1,63})*+|\[[0-9a-f:.]++\])").fullmatch


@dataclass(frozen=True, slots=True)
class Names:
    """A set of names to compare with."""

    exact: frozenset[bytes]
    below: frozenset[bytes]
    """The parents of the wildcards."""

    @classmethod
    def of(cls, patterns: Iterable[str]) -> "Names":
        """
        Raises:
            ValueError: one is not a host name, or its wildcard is not a whole leading label.
        """
        exact: set[bytes] = set()
        below: set[bytes] = set()
        for pattern in patterns:
            name = pattern.lower().removesuffix(".")
            if not _name(name):
                raise ValueError(
                    f"expected a host name (ASCII, without port; '*.' may stand for its first label), found {pattern!r}"
                )
            (below if name.startswith("*.") else exact).add(name.removeprefix("*.").encode("ascii"))
        return cls(frozenset(exact), frozenset(below))

    def __contains__(self, name: object) -> bool:
        """`name` in lower case and without a trailing dot."""
        assert isinstance(name, bytes)
        return name in self.exact or (bool(self.below) and name.partition(b".")[2] in self.below and not name.startswith(b"."))

    def __str__(self) -> str:
        names = (*sorted(self.exact), *(b"*." + name for name in sorted(self.below)))
        return " or ".join(name.decode("ascii") for name in names)
