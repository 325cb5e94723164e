"""Runs the Autobahn TestSuite's fuzzing client against URLs, and reads its report."""

import json
import os
import shutil
import subprocess
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from ..support.tree import ROOT

__all__ = ["NONE", "Verdicts", "fuzz", "wstest"]

PASSED = ("OK", "INFORMATIONAL")
"""What counts as passed without a word."""
NONE = ROOT / "var/wstest/none"
"""Says why there can be no TestSuite here."""
_KEPT = ROOT / "var/wstest/bin/wstest"


def wstest() -> str | None:
    """The program: what PORTICO_WSTEST says, what `tests/wstest/setup` has made, or what is on the PATH."""
    named = os.environ.get("PORTICO_WSTEST")
    return named or (str(_KEPT) if _KEPT.exists() else shutil.which("wstest"))


@dataclass
class Verdicts:
    """What became of the cases."""

    behaviour: Counter[str] = field(default_factory=Counter)
    closing: Counter[str] = field(default_factory=Counter)
    not_passed: list[str] = field(default_factory=list)

    @property
    def cases(self) -> int:
        return self.behaviour.total()


def fuzz(program: str, folder: Path, url: str, cases: list[str], seconds: float, exclude: list[str] | None = None) -> Verdicts:
    """Run `cases` (patterns as the suite has them) against `url`.

    Raises:
        subprocess.TimeoutExpired, AssertionError: there is no report.
    """
    folder.mkdir(parents=True, exist_ok=True)
    specification = {
        "outdir": str(folder / "report"),
        "servers": [{"agent": "portico", "url": url}],
        "cases": cases,
        "exclude-cases": exclude or [],
        "exclude-agent-cases": {},
    }
    (folder / "spec.json").write_text(json.dumps(specification))
    with (folder / "log").open("wb") as log:
        command = [program, "-m", "fuzzingclient", "-s", str(folder / "spec.json")]
        subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, timeout=seconds, check=False)
    index = folder / "report/index.json"
    assert index.exists(), (folder / "log").read_text()[-2000:]
    found = Verdicts()
    for case, verdict in json.loads(index.read_text())["portico"].items():
        found.behaviour[verdict["behavior"]] += 1
        found.closing[verdict["behaviorClose"]] += 1
        if verdict["behavior"] not in PASSED or verdict["behaviorClose"] not in PASSED:
            found.not_passed.append(f"{case}: {verdict['behavior']}, closing {verdict['behaviorClose']}")
    return found
