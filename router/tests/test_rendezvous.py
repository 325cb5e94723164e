"""Rendezvous hashing: who gets a key stays who gets it."""

from collections import Counter
from dataclasses import dataclass

import pytest
from portico.core.rendezvous import LARGEST_SEED, rendezvous

KEYS = [b"room-%d" % number for number in range(3_000)]


@dataclass
class Replica:
    name: str
    load: int = 0
    capacity: int = 10


def replicas(count: int) -> list[Replica]:
    return [Replica(f"replica-{number}") for number in range(count)]


def order(of: list[Replica], key: bytes, seed: bytes = b"") -> list[str]:
    return [replica.name for replica in rendezvous(of, key, lambda replica: replica.name, seed)]


def owners(of: list[Replica], seed: bytes = b"") -> dict[bytes, str]:
    return {key: order(of, key, seed)[0] for key in KEYS}


def test_nobody_there() -> None:
    assert order([], b"key") == []


def test_every_replica_is_there_once() -> None:
    assert sorted(order(replicas(5), b"key")) == sorted(replica.name for replica in replicas(5))


def test_the_order_of_the_list_does_not_count() -> None:
    of = replicas(7)
    assert [order(of, key) for key in KEYS[:50]] == [order(of[::-1], key) for key in KEYS[:50]]


@pytest.mark.parametrize("count", [2, 3, 10])
def test_keys_are_spread_evenly(count: int) -> None:
    share = Counter(owners(replicas(count)).values())
    assert len(share) == count
    assert max(share.values()) < 1.25 * len(KEYS) / count
    assert min(share.values()) > 0.75 * len(KEYS) / count


def test_a_replica_that_goes_takes_only_its_own_keys_along() -> None:
    of = replicas(5)
    before, after = owners(of), owners(of[:2] + of[3:])
    for key in KEYS:
        if before[key] == of[2].name:
            assert after[key] == order(of, key)[1]
        else:
            assert after[key] == before[key]


def test_a_replica_that_comes_takes_keys_only_for_itself() -> None:
    before, after = owners(replicas(4)), owners(replicas(5))
    moved = {key for key in KEYS if before[key] != after[key]}
    assert {after[key] for key in moved} == {"replica-4"}
    assert 0.15 * len(KEYS) < len(moved) < 0.25 * len(KEYS)


def test_a_full_replica_is_passed_over_and_keeps_its_keys() -> None:
    of = replicas(4)
    key = next(key for key in KEYS if order(of, key)[0] == "replica-1")
    second = order(of, key)[1]
    of[1].load = 10
    assert order(of, key)[0] == second
    assert len(order(of, key)) == 3
    of[1].load = 9
    assert order(of, key)[0] == "replica-1"


def test_the_only_one_with_room() -> None:
    of = replicas(2)
    of[0].load = 10
    assert order(of, b"key") == ["replica-1"]


def test_the_seed_changes_who_gets_what() -> None:
    of = replicas(3)
    one, two = owners(of, b"one"), owners(of, b"two")
    same = sum(one[key] == two[key] for key in KEYS)
    assert len(KEYS) / 4 < same < len(KEYS) / 2.4
    assert owners(of, b"x" * LARGEST_SEED)
    with pytest.raises(ValueError, match="maximum key length"):
        order(of, b"key", b"x" * (LARGEST_SEED + 1))


def test_what_was_decided_once_is_decided_so_by_every_version() -> None:
    """Routers of two releases run side by side during an upgrade."""
    assert [order(replicas(3), key)[0] for key in KEYS[:8]] == PINNED


PINNED = [f"replica-{number}" for number in (1, 2, 0, 0, 2, 0, 0, 0)]
