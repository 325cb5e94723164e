"""What docs/daemon.md says: the commands that install and start everything, and the score of each unit."""

import re

from ..support.tree import ROOT

__all__ = ["commands", "scores"]

ROW = re.compile(r"^\| `([\w-]+\.service)` \| (\d\.\d) \|", re.MULTILINE)
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def commands(section: str, text: str | None = None) -> list[str]:
    """The blocks of commands of a section of the page, as they stand there."""
    page = _page() if text is None else text
    found = BLOCK.findall(page.partition(f"\n## {section}\n")[2].partition("\n## ")[0])
    assert found, f"docs/daemon.md has no commands in its section {section}"
    return found


def scores(text: str | None = None) -> dict[str, str]:
    """The units of the page's table, each with its exposure."""
    return dict(ROW.findall(_page() if text is None else text))


def _page() -> str:
    return (ROOT / "docs/daemon.md").read_text()
