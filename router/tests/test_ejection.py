"""Who is passed over, for how long, and never too many."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from portico.core.ejection import Ejection

AFTER, SECONDS = 3, 10.0


def made(members: str, after: int = AFTER) -> Ejection[str]:
    ejection: Ejection[str] = Ejection(after, SECONDS)
    ejection.belong(members)
    return ejection


def fail(ejection: Ejection[str], key: str, times: int = AFTER, now: float = 0.0) -> list[bool]:
    return [ejection.failed(key, now) for _ in range(times)]


def out(ejection: Ejection[str], now: float = 0.0) -> str:
    return "".join(ejection.ejected(now))


@pytest.mark.parametrize("after", [1, 2, 3, 7])
def test_so_many_failures_in_a_row(after: int) -> None:
    ejection = made("ab", after)
    assert fail(ejection, "a", after) == [*[False] * (after - 1), True]
    assert out(ejection) == "a"


def test_a_success_in_between_begins_the_count_anew() -> None:
    ejection = made("ab")
    fail(ejection, "a", 2)
    ejection.succeeded("a")
    assert fail(ejection, "a", 2) == [False, False]
    assert out(ejection) == ""
    assert fail(ejection, "a", 1) == [True]


def test_each_has_a_count_of_its_own() -> None:
    ejection = made("abcd")
    for key in "abcd":
        assert fail(ejection, key, 2) == [False, False]
    ejection.succeeded("b")
    assert fail(ejection, "a", 1) == [True]
    assert fail(ejection, "b", 1) == [False]


def test_it_comes_back_when_the_time_is_over() -> None:
    ejection = made("ab")
    fail(ejection, "a", now=5.0)
    assert out(ejection, 14.9) == "a"
    assert out(ejection, 15.0) == ""
    assert not ejection.until


def test_one_more_failure_after_its_return_is_enough() -> None:
    ejection = made("ab")
    fail(ejection, "a")
    assert fail(ejection, "a", 1, SECONDS) == [True]
    assert out(ejection, 2 * SECONDS - 0.1) == "a"
    ejection.succeeded("a")
    assert out(ejection, 2 * SECONDS - 0.1) == ""
    assert fail(ejection, "a", 2, SECONDS) == [False, False]


def test_failures_while_it_is_ejected_do_not_prolong_it() -> None:
    ejection = made("ab")
    fail(ejection, "a")
    assert fail(ejection, "a", 5, 9.0) == [False] * 5
    assert out(ejection, SECONDS) == ""


@pytest.mark.parametrize(("members", "most"), [("a", 0), ("ab", 1), ("abc", 1), ("abcd", 2), ("abcde", 2), ("abcdef", 3)])
def test_never_more_than_half(members: str, most: int) -> None:
    ejection = made(members)
    for key in members:
        fail(ejection, key)
    assert out(ejection) == members[:most]


def test_who_had_to_stay_goes_when_there_is_room() -> None:
    ejection = made("ab")
    fail(ejection, "a")
    assert fail(ejection, "b", 4) == [False] * 4
    assert fail(ejection, "b", 1, SECONDS) == [True]  # a is back by now
    assert out(ejection, SECONDS) == "b"


def test_fewer_replicas_let_the_earliest_come_back() -> None:
    ejection = made("abcd")
    fail(ejection, "a", now=0.0)
    fail(ejection, "b", now=1.0)
    ejection.belong("abc")
    assert out(ejection, 2.0) == "b"
    ejection.belong("b")
    assert out(ejection, 2.0) == ""


def test_who_does_not_belong_is_forgotten() -> None:
    ejection = made("abcd")
    fail(ejection, "a")
    fail(ejection, "b", 2)
    ejection.belong("cdef")
    assert fail(ejection, "a", 5) == [False] * 5  # an attempt at it was still under way
    ejection.belong("abcd")
    assert out(ejection) == ""
    assert fail(ejection, "b", 1) == [False]


def test_nobody_belongs() -> None:
    ejection = made("")
    assert fail(ejection, "a", 5) == [False] * 5
    ejection.succeeded("a")
    assert out(ejection) == ""


EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("failed"), st.sampled_from("abcdef")),
        st.tuples(st.just("succeeded"), st.sampled_from("abcdef")),
        st.tuples(st.just("belong"), st.sets(st.sampled_from("abcdef")).map(lambda keys: "".join(sorted(keys)))),
        st.tuples(st.just("later"), st.sampled_from(["1", "4", "10"])),
    ),
    max_size=80,
)


@given(EVENTS)
def test_whatever_happens(events: list[tuple[str, str]]) -> None:
    ejection, members, now = made("abcdef", 2), "abcdef", 0.0
    in_a_row = dict.fromkeys("abcdef", 0)
    for what, which in events:
        if what == "failed":
            in_a_row[which] = in_a_row[which] + 1 if which in members else 0
            ejection.failed(which, now)
        elif what == "succeeded":
            in_a_row[which] = 0
            ejection.succeeded(which)
        elif what == "belong":
            members = which
            in_a_row = {key: count if key in members else 0 for key, count in in_a_row.items()}
            ejection.belong(members)
        else:
            now += float(which)
        found = ejection.ejected(now)
        assert len(found) <= len(members) // 2
        assert all(key in members and in_a_row[key] >= 2 for key in found)
        assert all(now < end <= now + SECONDS for end in ejection.until.values())
        assert list(ejection.until.values()) == sorted(ejection.until.values())
