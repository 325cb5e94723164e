"""Round robin and random-two: who comes first, and who is left out."""

import random
from collections import Counter
from dataclasses import dataclass

from portico.core.balance import random_two, round_robin


@dataclass
class Replica:
    name: str
    load: int = 0
    capacity: int = 10


def replicas(*loads: int) -> list[Replica]:
    return [Replica("abcdefgh"[number], load) for number, load in enumerate(loads)]


def names(ordered: object) -> str:
    return "".join(replica.name for replica in ordered)  # type: ignore[attr-defined]


def test_round_robin_takes_turns_whatever_the_load() -> None:
    of = replicas(9, 0, 5)
    assert [names(round_robin(of, turn)) for turn in range(4)] == ["abc", "bca", "cab", "abc"]


def test_round_robin_leaves_out_who_is_full() -> None:
    of = replicas(10, 0, 5)
    assert [names(round_robin(of, turn)) for turn in range(3)] == ["bc", "bc", "cb"]
    assert names(round_robin(replicas(10), 0)) == ""
    assert names(round_robin([], 3)) == ""


def drawn(*numbers: int) -> object:
    left = list(numbers)

    def below(bound: int) -> int:
        assert left[0] < bound
        return left.pop(0)

    return below


def test_random_two_takes_the_less_busy_of_the_two() -> None:
    of = replicas(1, 7, 3, 0)
    assert names(random_two(of, drawn(1, 1)))[:2] == "cb"  # type: ignore[arg-type]
    assert names(random_two(of, drawn(0, 0)))[:2] == "ab"  # type: ignore[arg-type]
    assert sorted(names(random_two(of, drawn(3, 2)))) == list("abcd")  # type: ignore[arg-type]


def test_random_two_draws_two_different_ones() -> None:
    dice = random.Random(7)
    of = replicas(0, 0, 0)
    pairs = Counter("".join(sorted(names(random_two(of, dice.randrange))[:2])) for _ in range(3_000))
    assert sorted(pairs) == ["ab", "ac", "bc"]
    assert min(pairs.values()) > 800


def test_random_two_never_begins_with_the_busiest() -> None:
    dice = random.Random(7)
    of = replicas(1, 9, 2)
    assert {names(random_two(of, dice.randrange))[0] for _ in range(200)} == {"a", "c"}


def test_random_two_with_few() -> None:
    dice = random.Random(7)
    assert names(random_two([], dice.randrange)) == ""
    assert names(random_two(replicas(3), dice.randrange)) == "a"
    assert names(random_two(replicas(10, 2, 10), dice.randrange)) == "b"
    assert names(random_two(replicas(5, 4), dice.randrange)) == "ba"
