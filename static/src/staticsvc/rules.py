"""Cache-Control by pattern: which answers a browser may keep, and for how long (RFC 9111 section 5.2).

A rule is `pattern: value`, and is about the file that is sent, by whatever address: the index page of a folder, a page with
a clean name, the page of an application that stands in for what is not there. A pattern with a slash is compared with the
file's own address, one without with its name; `*`, `?` and `[...]` mean what they mean in a shell, and `*` goes over slashes.
The pattern `hashed` stands for names that change with their content, as build tools make them: eight or more hexadecimal
digits, letters and figures among them, between a dot or a dash and the extension (`app.3f9c12ab.js`). The first rule that
fits counts.
"""

import re
from collections.abc import Callable, Mapping
from fnmatch import translate

__all__ = ["HASHED", "CacheRules", "rules_of"]

HASHED = "hashed"
_is_hashed = re.compile(rb".*[.-](?=[0-9a-f]*[0-9])(?=[0-9a-f]*[a-f])[0-9a-f]{8,64}\.[^./]++(?:\.map)?\Z").match
_is_value = re.compile(r"[\x20-\x7e]+\Z").match

Fits = Callable[[bytes], object]


class CacheRules:
    """Finds the value for a file."""

    def __init__(self, rules: Mapping[str, str]) -> None:
        """
        Raises:
            ValueError: a rule has no pattern, or its value is none that a header can have.
        """
        self._rules: list[tuple[bool, Fits, bytes]] = []
        for pattern, value in rules.items():
            if not pattern or not _is_value(value):
                raise ValueError(f"expected PATTERN: VALUE, found {pattern!r}: {value!r}")
            fits: Fits = _is_hashed if pattern == HASHED else re.compile(translate(pattern).encode("utf-8")).match
            self._rules.append(("/" in pattern, fits, value.encode("ascii")))

    def value_for(self, address: bytes) -> bytes | None:
        """What Cache-Control says for the file at `address`, with nothing percent-encoded in it; None: nothing."""
        name = address.rpartition(b"/")[2]
        for whole, fits, value in self._rules:
            if fits(address if whole else name):
                return value
        return None


def rules_of(text: str) -> dict[str, str]:
    """The rules in `PATTERN: VALUE; PATTERN: VALUE`.

    Raises:
        ValueError: there is no colon in one.
    """
    found: dict[str, str] = {}
    for rule in text.split(";"):
        pattern, colon, value = rule.partition(":")
        if rule.strip():
            if not colon:
                raise ValueError(f"expected PATTERN: VALUE, found {rule.strip()!r}")
            found.setdefault(pattern.strip(), value.strip())  # the first that fits counts
    return found
