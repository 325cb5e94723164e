"""Which replica gets the next connection: the one with the fewest, in turns among equals, never a full one."""

from collections import Counter
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st
from portico.core.balance import least_connections


@dataclass
class Replica:
    name: str
    load: int = 0
    capacity: int = 10


def order(replicas: list[Replica], turn: int = 0) -> list[str]:
    return [replica.name for replica in least_connections(replicas, turn)]


def test_nobody_to_choose_from() -> None:
    assert order([]) == []
    assert order([], 7) == []


def test_one_replica() -> None:
    assert order([Replica("a", 3)]) == ["a"]
    assert order([Replica("a", 10)]) == []


def test_fewest_first() -> None:
    assert order([Replica("a", 5), Replica("b", 1), Replica("c", 3)]) == ["b", "c", "a"]


def test_a_full_replica_gets_none() -> None:
    assert order([Replica("a", 9), Replica("b", 10), Replica("c", 11)]) == ["a"]


def test_all_full() -> None:
    assert order([Replica("a", 1, 1), Replica("b", 1, 1)]) == []


def test_capacity_counts_and_not_the_share_of_it() -> None:
    assert order([Replica("big", 5, 1000), Replica("small", 4, 5)]) == ["small", "big"]


def test_equals_take_turns() -> None:
    replicas = [Replica("a"), Replica("b"), Replica("c")]
    assert [order(replicas, turn)[0] for turn in range(6)] == ["a", "b", "c", "a", "b", "c"]
    assert order(replicas, 1) == ["b", "c", "a"]


def test_turns_never_prefer_a_busier_one() -> None:
    replicas = [Replica("a", 1), Replica("b", 0), Replica("c", 1)]
    assert {order(replicas, turn)[0] for turn in range(9)} == {"b"}


def test_connections_spread_evenly() -> None:
    replicas = [Replica(name, 0, 100) for name in "abc"]
    for turn in range(99):
        next(iter(least_connections(replicas, turn))).load += 1
    assert Counter(replica.load for replica in replicas) == {33: 3}


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 5)), max_size=6), st.integers(0, 1 << 40))
def test_exactly_those_with_room_in_order_of_load(made: list[tuple[int, int]], turn: int) -> None:
    replicas = [Replica(str(index), *each) for index, each in enumerate(made)]
    chosen = list(least_connections(replicas, turn))
    assert {each.name for each in chosen} == {each.name for each in replicas if each.load < each.capacity}
    assert [each.load for each in chosen] == sorted(each.load for each in chosen)
