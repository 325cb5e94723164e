"""The report writer loses nothing that somebody has written by hand."""

import pytest

from bench.report import rewritten

END = "<!-- bench: end -->\n"


@pytest.mark.parametrize(
    "page",
    [
        f"<!-- bench: not met -->\nby hand\n<!-- bench: targets -->\nold\n{END}",
        f"<!-- bench: targets -->\nold\n{END}by hand\n{END}",
        "<!-- bench: targets -->\nold, by hand\n",
    ],
)
def test_a_marker_that_is_alone_is_no_reason_to_lose_what_follows(page: str) -> None:
    with pytest.raises(ValueError, match="alone"):
        rewritten(page, {})


@pytest.mark.parametrize("name", ["Targets", "targets2", "target"])
def test_a_block_that_there_is_not_is_not_passed_over(name: str) -> None:
    with pytest.raises(KeyError):
        rewritten(f"<!-- bench: {name} -->\nold\n{END}", {})
