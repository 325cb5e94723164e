"""Up and down, by checks in a row."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from portico.core.health import CHECKING, DOWN, UP, Health


def after(checks: str, rise: int = 2, fall: int = 3) -> str:
    """The state after `checks`: + is passed, - is failed."""
    health = Health(rise, fall)
    for check in checks:
        before = health.state
        changed = health.passed() if check == "+" else health.failed()
        assert changed == (health.state != before)
        assert health.up == (health.state == UP)
    return health.state


@pytest.mark.parametrize(
    ("checks", "state"),
    [
        ("", CHECKING),
        ("+", UP),
        ("-", DOWN),
        ("+--", UP),
        ("+---", DOWN),
        ("+--+--", UP),
        ("+--+---", DOWN),
        ("-+", DOWN),
        ("-++", UP),
        ("-+-+", DOWN),
        ("+---+", DOWN),
        ("+---++", UP),
        ("+---++--", UP),
    ],
)
def test_states(checks: str, state: str) -> None:
    assert after(checks) == state


def test_one_is_enough_where_one_is_asked_for() -> None:
    assert after("+-", 1, 1) == DOWN
    assert after("+-+", 1, 1) == UP


@given(st.text("+-", max_size=40), st.integers(1, 5), st.integers(1, 5))
def test_it_is_what_the_last_row_that_was_long_enough_says(checks: str, rise: int, fall: int) -> None:
    state, row, last = CHECKING, 0, ""
    for check in checks:
        row = row + 1 if check == last else 1
        last = check
        if state == CHECKING or row >= (rise if check == "+" else fall):
            state = UP if check == "+" else DOWN
    assert after(checks, rise, fall) == state
