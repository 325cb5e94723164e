"""`python -m bench.report`: writes the newest result into the pages, between their markers.

    <!-- bench: NAME -->
    what is here is written anew
    <!-- bench: end -->

`--check` writes nothing, and fails where a page says something else than the result.
"""

import argparse
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from . import record
from .router.measures import ALL
from .tables import growth_rows, idle_rows, markdown, measure_rows, target_rows
from .targets import judge

__all__ = ["BLOCKS", "PAGES", "machine", "main", "rewritten"]

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("docs/performance.md", "docs/comparison.md", "README.md")
_block = re.compile(r"(<!-- bench: (?!end -->)([^\n]+?) -->\n)((?:(?!<!-- bench: ).)*)(<!-- bench: end -->)", re.DOTALL)


def machine(result: Mapping[str, Any]) -> str:
    """On what it was measured."""
    kind = result["machine"]
    cores = f"{kind['cores']} {'core' if kind['cores'] == 1 else 'cores'}"
    return (
        f"Measured on {result['date']}, {result['form']} form, {result['rounds']} rounds: {kind['processor']}, "
        f"{cores}, {kind['memory_gib']} GiB, {kind['virtual']}, Linux {kind['kernel']}, Python {kind['python']}; "
        f"{result['network']}; {_versions(result)}. Foreign programs used {result['foreign']:.0%} of the processors meanwhile."
    )


def _versions(result: Mapping[str, Any]) -> str:
    return ", ".join(result["versions"]) or "no peers"


def _targets(result: Mapping[str, Any]) -> str:
    return f"{machine(result)}\n\n{markdown(target_rows(result))}\n"


def _figures(result: Mapping[str, Any]) -> str:
    parts = []
    for key, measure in ALL.items():
        parts.append(f"### {measure.title[0].upper()}{measure.title[1:]}\n\n{markdown(measure_rows(result, key))}\n")
    parts.append(f"### Memory, and a replica's first connection\n\n{markdown(idle_rows(result))}\n")
    parts.append(f"### Growth\n\n{markdown(growth_rows(result))}\n")
    for name, said in result["services"].items():
        parts.append(f"### Service: {name}\n\n```text\n{said}\n```\n")
    return "\n".join(parts)


def _not_met(result: Mapping[str, Any]) -> str:
    """Those that do not hold, or of which nobody knows, and that they do not."""
    found = [each for each in judge(result) if not each.holds]
    if not found:
        return f"All targets hold ({result['date']}, {result['form']} form).\n"
    lines = [f"- {each.title}: {each.value}, the target is {each.target}" for each in found]
    return f"Targets not met ({result['date']}, {result['form']} form):\n\n" + "\n".join(lines) + "\n"


BLOCKS: dict[str, Callable[[Mapping[str, Any]], str]] = {"targets": _targets, "figures": _figures, "not met": _not_met}


def rewritten(page: str, result: Mapping[str, Any]) -> str:
    """The text of a page with its blocks made from `result`.

    Raises:
        KeyError: a marker names a block that there is not.
        ValueError: one has no end, or an end has no beginning: what is between is not to be lost.
    """
    if page.count("<!-- bench: ") != 2 * len(_block.findall(page)):
        raise ValueError("a marker of the page is alone")
    return _block.sub(lambda found: f"{found[1]}\n{BLOCKS[found[2]](result)}\n{found[4]}", page)


def main() -> int:
    """Exit status 1 where `--check` finds a page that says something else."""
    parser = argparse.ArgumentParser(prog="python -m bench.report", description=__doc__)
    parser.add_argument("result", type=Path, nargs="?", help="(the newest in bench/results)")
    parser.add_argument("--check", action="store_true")
    chosen = parser.parse_args()
    result = record.read(chosen.result or record.newest())
    differs = False
    for name in PAGES:
        path = ROOT / name
        before = path.read_text()
        after = rewritten(before, result)
        if after != before:
            differs = True
            print(f"{name}: {'says something else' if chosen.check else 'written'}")
            if not chosen.check:
                path.write_text(after)
    return int(differs and chosen.check)


if __name__ == "__main__":
    sys.exit(main())
