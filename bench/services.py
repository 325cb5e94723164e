"""The services beside their peers: the programs `bench.static`, `bench.uploads` and `bench.websocket`, run and collected."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Sequence

from tests.support.tree import ROOT

__all__ = ["PROGRAMS", "collect"]

LONGEST = 300.0
"""Seconds for each."""
PROGRAMS: dict[str, Sequence[str]] = {
    "static": ("bench.static", "--rounds", "7", "--seconds", "1"),
    "uploads": ("bench.uploads", "--rounds", "9", "--sizes", f"1k,1m,{512 << 20}"),
    "websocket": ("bench.websocket", "--rounds", "2", "--seconds", "2", "--idle", "1000"),
}


def collect(name: str) -> str:
    """What the program has printed; or why it has not, so that one that fails does not take the others along."""
    module, *options = PROGRAMS[name]
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", module, *options],
        cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        said, _ = process.communicate(timeout=LONGEST)
    except subprocess.TimeoutExpired:
        return f"it took more than {LONGEST:.0f} s"
    finally:
        if process.poll() is None:
            _end(process)
    said = said.strip()
    return said if process.returncode == 0 else f"it has failed: {said[-300:]}"


def _end(process: subprocess.Popen[str]) -> None:
    """It ends what it has started when it is interrupted; what is then left in its group is killed."""
    process.send_signal(signal.SIGINT)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(30)
    with contextlib.suppress(OSError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(10)
