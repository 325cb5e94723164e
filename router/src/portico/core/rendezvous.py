"""Rendezvous hashing (highest random weight, Thaler and Ravishankar 1998): the same key meets the same replica.

Each replica gets a weight for the key, a number that looks random and depends on both only; the highest wins. When a replica
comes or goes, just the keys that it wins or had won move, one in n, and all others stay. No ring, no table, no memory: every
router that sees the same replicas decides alike.

Cost: one keyed BLAKE2b for the key, one for the name of a replica never met before, and a handful of integer operations for
each replica. Without the seed nobody can compute keys that all meet at one replica; routers that are to agree need the same.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import TypeVar

from .balance import Loaded

__all__ = ["rendezvous"]

L = TypeVar("L", bound=Loaded)

LARGEST_SEED = 64
"""Bytes of a seed, at most; BLAKE2b's key."""
_NAMES = 4_096
_MASK = (1 << 64) - 1


def rendezvous(replicas: Sequence[L], key: bytes, name: Callable[[L], str], seed: bytes = b"") -> Iterable[L]:
    """The replicas with room: the one that `key` belongs to, the one that it would belong to without that, and so on.

    Args:
        replicas: in any order.
        key: see `core.hashkey`.
        name: of a replica; unique, and the same for every router.
        seed: shared by the routers that are to agree; up to 64 bytes.
    """
    willing = [replica for replica in replicas if replica.load < replica.capacity]
    if len(willing) < 2:
        return willing
    place = _hash(key, seed)
    return sorted(willing, key=lambda replica: _mixed(place ^ _hash_of_name(name(replica), seed)), reverse=True)


def _hash(data: bytes, seed: bytes) -> int:
    return int.from_bytes(blake2b(data, digest_size=8, key=seed).digest(), "big")


@lru_cache(_NAMES)
def _hash_of_name(name: str, seed: bytes) -> int:
    return _hash(b"\0replica " + name.encode("utf-8", "surrogateescape"), seed)


def _mixed(value: int) -> int:
    """Every bit of the result depends on every bit of `value` (the finaliser of SplitMix64)."""
    value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9 & _MASK
    value = (value ^ value >> 27) * 0x94D049BB133111EB & _MASK
    return value ^ value >> 31
