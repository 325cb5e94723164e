"""Hashes that came from elsewhere: what Apache's `htpasswd` writes (bcrypt, apr1, SHA-1).

They are stored as they came, for nobody knows the passwords. Whoever logs in with the right one gets an argon2id hash at that
moment, and the old one is gone.
"""

import base64
import binascii
import hashlib
import hmac
import re

import bcrypt

__all__ = ["MAX_BCRYPT_COST", "check_foreign", "verify_foreign"]

MAX_BCRYPT_COST = 14
"""Cost of a bcrypt hash: each step doubles the time, and 14 takes about a second."""

BCRYPT_BYTES = 72
"""bcrypt looks at no more of a password; a longer one is refused, as two could be taken for the same."""

_BCRYPT = re.compile(r"\$2[aby]\$([0-9]{2})\$[./A-Za-z0-9]{53}\Z").match
_APR1 = re.compile(r"\$apr1\$[./A-Za-z0-9]{1,8}\$[./A-Za-z0-9]{22}\Z").match
_SHA = re.compile(r"\{SHA\}[A-Za-z0-9+/]{27}=\Z").match


def check_foreign(stored: str) -> None:
    """Raises: ValueError: a hash of another kind, or one that takes too long to check."""
    cost = _BCRYPT(stored)
    if cost is not None and int(cost[1]) > MAX_BCRYPT_COST:
        raise ValueError(f"a bcrypt hash of cost {int(cost[1])}; at most {MAX_BCRYPT_COST}")
    if cost is None and _APR1(stored) is None and _SHA(stored) is None:
        raise ValueError("not a hash by bcrypt, apr1 or SHA-1, as htpasswd -B, -m and -s write them")


def verify_foreign(stored: str, password: bytes) -> bool:
    """Whether `stored` is a hash of `password`. Blocks for as long as the hash wants.

    Raises:
        ValueError: `check_foreign` would have.
    """
    check_foreign(stored)
    if stored.startswith("$2"):
        return len(password) <= BCRYPT_BYTES and bcrypt.checkpw(password, stored.encode("ascii"))
    if stored.startswith("$apr1$"):
        from passlib.hash import apr_md5_crypt  # only where one is stored: it brings in a lot

        return b"\0" not in password and bool(apr_md5_crypt.verify(password, stored))
    return hmac.compare_digest(_decode(stored.removeprefix("{SHA}")), hashlib.sha1(password, usedforsecurity=False).digest())


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"the stored hash cannot be checked: {error}") from None
