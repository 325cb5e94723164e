"""Shared values by number: counted, found again, forgotten, bounded."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from portico.interned import MOST, Interned


def test_a_value_is_held_once() -> None:
    interned: Interned[str] = Interned()
    first, again, other = interned.take("a"), interned.take("a"), interned.take("b")
    assert (first, again, other) == (0, 0, 1)
    assert interned.value(0) == "a"
    interned.give_back(0)
    assert len(interned) == 2
    interned.give_back(0)
    assert len(interned) == 1
    assert interned.take("c") == 0  # the number is free again


@pytest.mark.parametrize("most", [1, 3, MOST])
def test_so_many_and_no_more(most: int) -> None:
    interned: Interned[int] = Interned(most)
    assert [interned.take(value) for value in range(most)] == list(range(most))
    assert interned.take(-1) is None
    assert interned.take(0) == 0
    interned.give_back(most - 1)
    assert interned.take(-1) == (None if most == 1 else most - 1)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5))))
def test_whatever_is_taken_and_given_back(moves: list[tuple[bool, int]]) -> None:
    interned: Interned[int] = Interned(4)
    used: list[tuple[int, int]] = []
    for takes, value in moves:
        if takes:
            number = interned.take(value)
            assert (number is None) == (value not in {each for _, each in used} and len({each for _, each in used}) == 4)
            if number is not None:
                used.append((number, value))
        elif used:
            interned.give_back(used.pop(value % len(used))[0])
        assert all(interned.value(number) == each for number, each in used)
        assert len(interned) == len(set(used))
