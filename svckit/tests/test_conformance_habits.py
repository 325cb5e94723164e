"""The conformance test fails replicas with one bad habit each."""

from pathlib import Path

import pytest
from bad_habits_support import BAD_HABITS
from conformance_support import broken_rules, running
from svckit.handoff.aio import replica
from svckit.handoff.aio.link import Link


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(("habit", "texts"), BAD_HABITS, ids=lambda value: getattr(value, "__name__", None))
def test_a_bad_habit_is_found(folder: Path, monkeypatch: pytest.MonkeyPatch, habit: type[Link], texts: list[str]) -> None:
    monkeypatch.setattr(replica, "Link", habit)
    with running(folder) as fake:
        outcomes = broken_rules(fake, *texts)
    assert [outcome.rule.text for outcome in outcomes if not outcome.problem] == []


@pytest.mark.usefixtures("quick")
def test_the_same_without_a_bad_habit_keeps_the_rules(folder: Path) -> None:
    """Else the fakes above could fail for any reason."""
    with running(folder, drain_time=10) as fake:  # a drain without time would cut what is just being served
        outcomes = broken_rules(fake, *{text for _, texts in BAD_HABITS for text in texts}, patience=10, take_timeout=10)
    assert [(outcome.rule.text, outcome.problem) for outcome in outcomes if outcome.problem] == []
