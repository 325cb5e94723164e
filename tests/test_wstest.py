"""A small selection of the Autobahn TestSuite, through the router (`python -m tests.wstest` has all of it)."""

from pathlib import Path

import pytest

from .support.one_process import OneProcess
from .support.programs import lacking
from .wstest.suite import NONE, fuzz, wstest

SELECTION = [
    "1.1.*",
    "1.2.6",
    "2.*",
    "3.*",
    "4.1.*",
    "4.2.*",
    "5.1*",
    "5.9",
    "6.1.*",
    "7.1.*",
    "7.3.*",
    "7.7.*",
    "10.*",
]


@pytest.mark.parametrize("service", ["autobahn", "txws"])
def test_conforming(one_process: OneProcess, tmp_path: Path, service: str) -> None:
    program = wstest()
    if program is None:
        if NONE.exists():  # Debian has no Python 2.7
            pytest.skip(NONE.read_text())
        lacking("there is no wstest: tests/wstest/setup makes one")
    url = f"ws://127.0.0.1:{one_process.port}/ws/{service}/echo"
    found = fuzz(program, tmp_path, url, SELECTION, 300)
    assert found.not_passed == []
    assert found.cases > 60
