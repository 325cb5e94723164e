"""Which statuses a check takes for well, written as `200-399` or `200, 204, 301-308`."""

import re

__all__ = ["statuses"]

_part = re.compile(r"([1-9][0-9]{2})(?:-([1-9][0-9]{2}))?").fullmatch


def statuses(text: str) -> frozenset[int]:
    """The set.

    Raises:
        ValueError: it is not written so, or a range ends before it begins.
    """
    found: set[int] = set()
    for part in text.split(","):
        match = _part(part.strip())
        if match is None or (match[2] and int(match[2]) < int(match[1])):
            raise ValueError(f"expected statuses such as 200-399 or 200, 204, found {text!r}")
        found.update(range(int(match[1]), int(match[2] or match[1]) + 1))
    return frozenset(found)
