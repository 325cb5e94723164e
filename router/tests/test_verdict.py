"""Three values, none of which is a truth value."""

import pytest
from portico.core.verdict import MORE, NO, YES, Verdict


def test_there_are_three() -> None:
    assert list(Verdict) == [YES, NO, MORE]
    assert [str(verdict) for verdict in Verdict] == ["yes", "no", "need more"]


@pytest.mark.parametrize("verdict", Verdict)
def test_a_verdict_is_no_truth_value(verdict: Verdict) -> None:
    with pytest.raises(TypeError, match="three values"):
        bool(verdict)
