"""Content-Digest, Repr-Digest, Want-Repr-Digest (RFC 9530): what a body must come to, and who wants to know. Pure.

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

__all__ = ["ALGORITHMS", "BAD_DIGEST", "Digests", "WrongDigest", "check", "digests_of", "wants_sha256"]

BAD_DIGEST = Refusal(400, "Content-Digest or Repr-Digest is malformed.")
ALGORITHMS: dict[str, Callable[[], Any]] = {"sha-256": hashlib.sha256, "sha-512": hashlib.sha512}

# A member of a structured dictionary (RFC 9651) whose value is a byte sequence.
_MEMBER = re.compile(r"([a-z*][a-z0-9_.*-]*)=:([A-Za-z0-9+/]*={0,2}):[ \t]*(?:,[ \t]*|\Z)")

# A member whose value is how much it is wanted, 0 to 10; without one it is wanted, too.
_WISH = re.compile(r"([a-z*][a-z0-9_.*-]*)(?:=([0-9]|10))?[ \t]*(?:,[ \t]*|\Z)")

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


def wants_sha256(header: Header) -> bool:
    """Whether the answer is to have the SHA-256 of what was sent (Want-Repr-Digest); a malformed wish is none."""
    text = (header(b"Want-Repr-Digest") or b"").decode("latin-1").strip()
    wished, at = False, 0
    while at < len(text):
        member = _WISH.match(text, at)
        if member is None:
            return False
        if member[1] == "sha-256":
            wished = member[2] != "0"
        at = member.end()
    return wished


def check(digests: Digests, digest_of: Callable[[str], bytes]) -> None:
    """
    Raises:
        WrongDigest: one of `digests` is not what `digest_of` says.
    """
    for name, digest in digests.items():
        if not hmac.compare_digest(digest_of(name), digest):
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
