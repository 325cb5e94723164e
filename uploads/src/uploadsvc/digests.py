"""Content-Digest and Repr-Digest (RFC 9530): what a body must come to. Pure.

A body is sent as it is (no content coding, no ranges), so the two say the same of a PUT. Algorithms that the registry calls
insecure, or that are not known here, are ignored, as the RFC asks.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable
from typing import Any

from svckit.conditional import Header

from .refusals import Refusal, WrongDigest

__all__ = ["ALGORITHMS", "BAD_DIGEST", "Digests", "WrongDigest", "check", "digests_of"]

BAD_DIGEST = Refusal(400, "Content-Digest or Repr-Digest is malformed.")
ALGORITHMS: dict[str, Callable[[], Any]] = {"sha-256": hashlib.sha256, "sha-512": hashlib.sha512}

# A member of a structured dictionary (RFC 9651) whose value is a byte sequence.
_MEMBER = re.compile(r"([a-z*][a-z0-9_.*-]*)=:([A-Za-z0-9+/]*={0,2}):[ \t]*(?:,[ \t]*|\Z)")

Digests = dict[str, bytes]
"""The digests to check, by algorithm."""


def digests_of(header: Header) -> Digests | Refusal:
    """What the two fields demand; empty where they demand nothing."""
    found: Digests = {}
    for field in (b"Content-Digest", b"Repr-Digest"):
        members = _members((header(field) or b"").decode("latin-1").strip())
        if members is None:
            return BAD_DIGEST
        for name, value in members.items():
            if name not in ALGORITHMS:
                continue
            if len(value) != ALGORITHMS[name]().digest_size or found.get(name, value) != value:
                return BAD_DIGEST
            found[name] = value
    return found


def check(digests: Digests, sums: dict[str, Any]) -> None:
    """
    Raises:
        WrongDigest: one of `digests` is not that of the hash object in `sums`.
    """
    for name, digest in digests.items():
        if not hmac.compare_digest(sums[name].digest(), digest):
            raise WrongDigest(name)


def _members(text: str) -> dict[str, bytes] | None:
    found: dict[str, bytes] = {}
    at = 0
    while at < len(text):
        member = _MEMBER.match(text, at)
        if member is None:
            return None
        try:
            found[member[1]] = base64.b64decode(member[2], validate=True)
        except (binascii.Error, ValueError):
            return None
        at = member.end()
    return found
