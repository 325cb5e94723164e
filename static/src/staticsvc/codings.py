"""Which precompressed form of a file a client takes: Accept-Encoding, by RFC 9110 section 12.5.3."""

import re
from functools import lru_cache

__all__ = ["CODINGS", "Coding", "accepted"]


class Coding:
    """A content coding, and how the file in that form is called: NAME and the extension."""

    def __init__(self, name: bytes, extension: bytes) -> None:
        self.name, self.extension = name, extension


CODINGS = (Coding(b"br", b".br"), Coding(b"zstd", b".zst"), Coding(b"gzip", b".gz"))
"""What a client likes equally well is tried in this order: most files are smallest by Brotli."""

_ITEM = re.compile(rb"\s*([!#$%&'*+\-.^_`|~0-9A-Za-z]+)\s*(?:;\s*[qQ]\s*=\s*([01](?:\.[0-9]{0,3})?)\s*)?\Z")
_LONGEST = 256


@lru_cache(maxsize=256)
def accepted(header: bytes) -> tuple[Coding, ...]:
    """The codings that Accept-Encoding allows, best first; what cannot be understood allows none."""
    weights: dict[bytes, float] = {}
    if len(header) > _LONGEST:
        return ()
    for item in header.split(b","):
        found = _ITEM.match(item)
        if found is not None:
            weights[found[1].lower().replace(b"x-gzip", b"gzip")] = float(found[2]) if found[2] else 1.0
    others = weights.get(b"*", 0.0)
    asked = [(weights.get(coding.name, others), coding) for coding in CODINGS]
    return tuple(coding for weight, coding in sorted(asked, key=lambda each: -each[0]) if weight > 0)
