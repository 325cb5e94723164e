"""Statuses as they are written in the configuration."""

import pytest
from portico.core.statuses import statuses


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("200", {200}),
        ("200-203", {200, 201, 202, 203}),
        (" 200 ,204,  301-302", {200, 204, 301, 302}),
        ("200-200", {200}),
        ("999", {999}),
    ],
)
def test_sound(text: str, found: set[int]) -> None:
    assert statuses(text) == found


@pytest.mark.parametrize(
    "text", ["", ",", "200,", "20", "2000", "2xx", "99", "-200", "300-200", "200 - 300", "200-", "+200", "\u0662\u0660\u0660"]
)
def test_unsound(text: str) -> None:
    with pytest.raises(ValueError, match="expected statuses such as 200-399 or 200, 204, found "):
        statuses(text)
