"""What is stored of a password: an argon2id hash for logins that bring it, H(A1) for Digest logins.

H(A1) is as good as the password for Digest in its realm, and cannot be had from the argon2id hash: whoever offers Digest has
to keep it (RFC 7616 section 5.13). So the database file is for the auth service alone.
"""

from dataclasses import dataclass, field

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError, VerifyMismatchError
from argon2.low_level import Type
from svckit.auth.digest import ALGORITHMS, make_ha1
from svckit.auth.limits import MAX_PASSWORD, MAX_USER

from .foreign import verify_foreign

__all__ = [
    "MEMORY_KIB",
    "PARALLELISM",
    "TIME_COST",
    "Record",
    "check_name",
    "hash_password",
    "is_outdated",
    "make_record",
    "verify_password",
]

TIME_COST = 2
"""Passes over the memory."""

MEMORY_KIB = 19 * 1024
"""Memory of one hash. The three are OWASP's smallest recommendation for argon2id: about 30 ms, and 19 MiB for each thread."""

PARALLELISM = 1
"""Lanes."""

_hasher = PasswordHasher(time_cost=TIME_COST, memory_cost=MEMORY_KIB, parallelism=PARALLELISM, type=Type.ID)


@dataclass(frozen=True, slots=True)
class Record:
    """All that is stored of a user."""

    name: bytes
    password: str = field(repr=False)
    """The argon2id hash with its parameters and salt, in PHC format; another hash from a file, or empty where there is none."""
    ha1: dict[tuple[bytes, str], bytes] = field(repr=False)
    """H(A1) by realm and algorithm."""


def hash_password(password: bytes) -> str:
    """A new argon2id hash. Blocks for about 30 ms."""
    return _hasher.hash(password)


def verify_password(stored: str, password: bytes) -> bool:
    """Whether `stored` is a hash of `password`. Blocks for about 30 ms, right or wrong.

    Raises:
        ValueError: `stored` is no hash that is known here, or there is no memory to compute one.
    """
    try:
        if not stored.startswith("$argon2"):
            right = verify_foreign(stored, password)
            if not right:
                hash_password(password)  # other kinds can be quicker: a wrong one takes no less time than an unknown user
            return right
        return _hasher.verify(stored, password)
    except VerifyMismatchError:
        return False
    except (ValueError, VerificationError) as error:  # InvalidHashError is a ValueError
        raise ValueError(f"the stored hash cannot be checked: {error}") from None


def is_outdated(stored: str) -> bool:
    """Whether `stored` is of another kind, or made with other parameters, than a hash made today."""
    return not stored.startswith("$argon2id$") or _hasher.check_needs_rehash(stored)


def make_record(name: bytes, password: bytes, realms: tuple[bytes, ...]) -> Record:
    """A user who can log in to `realms`, by every method.

    Raises:
        ValueError: a name or a password that could not be sent in a login.
    """
    check_name(name)
    if not 1 <= len(password) <= MAX_PASSWORD:
        raise ValueError(f"a password has 1 to {MAX_PASSWORD} bytes")
    if _has_control(password):
        raise ValueError("a password has no control characters (RFC 7617 section 2)")
    ha1 = {(realm, algorithm): make_ha1(algorithm, name, realm, password) for realm in realms for algorithm in ALGORITHMS}
    return Record(name, hash_password(password), ha1)


def check_name(name: bytes) -> None:
    """Raises: ValueError: a user of this name could not log in by every method."""
    if not 1 <= len(name) <= MAX_USER:
        raise ValueError(f"a user's name has 1 to {MAX_USER} bytes")
    if b":" in name or _has_control(name):
        raise ValueError("a user's name has neither a colon nor control characters (RFC 7617 section 2)")


def _has_control(text: bytes) -> bool:
    return any(byte < 0x20 or byte == 0x7F for byte in text)
