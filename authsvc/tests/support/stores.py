"""Records and stores to write them to."""

from collections.abc import Callable

from authsvc.hashing import Record
from authsvc.store import Store

Opener = Callable[[], Store]


def record(name: bytes, password: str = "$argon2id$x", realm: bytes = b"portico") -> Record:
    return Record(name, password, {(realm, "SHA-256"): b"a" * 64, (realm, "MD5"): b"b" * 32})
