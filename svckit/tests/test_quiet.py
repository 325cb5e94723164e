"""Commands whose reader leaves before they have said all."""

import os
import subprocess
import sys

import pytest
from svckit.quiet import READER_LEFT

PROGRAM = """
import sys
from svckit.quiet import ends_with_its_reader

@ends_with_its_reader
def main(what):
    {body}

sys.exit(main("line"))
"""


def run(body: str, reads: int = 0, both: bool = False) -> tuple[int, bytes, bytes]:
    """The program's status, what was read of its output before the reader left, and what it said on standard error."""
    reader, writer = os.pipe()
    child = subprocess.Popen(
        (sys.executable, "-c", PROGRAM.format(body=body)),
        stdin=subprocess.PIPE,
        stdout=writer,
        stderr=writer if both else subprocess.PIPE,
        env={name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"},
    )
    os.close(writer)
    got = b"".join(os.read(reader, 1) for _ in range(reads))
    os.close(reader)
    said = child.communicate(b"go\n", 30)[1]  # only now it goes on
    return child.returncode, got, said or b""


@pytest.mark.parametrize(
    "body",
    [
        "input(); print(what)",  # lies in the buffer until the end
        "input(); print(what, flush=True)",
        "input(); print(what * 100_000)",
        "input(); print(what); sys.exit(3)",
    ],
)
@pytest.mark.parametrize("both", [False, True])
def test_it_ends_without_a_word(body: str, both: bool) -> None:
    assert run(body, both=both) == (READER_LEFT, b"", b"")


def test_what_was_read_before_was_right() -> None:
    assert run("print(what, flush=True); input(); print(what * 100_000)", reads=5) == (READER_LEFT, b"line\n", b"")


def test_a_status_and_an_error_of_its_own_are_as_they_were() -> None:
    assert run("input(); return 5")[0] == 5
    assert run("input(); sys.exit(6)")[0] == 6
    status, _, said = run("input(); raise ValueError(what)")
    assert (status, said.splitlines()[-1]) == (1, b"ValueError: line")


@pytest.mark.parametrize("command", ["portico.cli", "svckit.cli", "authsvc.cli"])
def test_each_command_has_it(command: str) -> None:
    """Their help is what all of them can say without anything else."""
    pytest.importorskip(command.partition(".")[0])
    assert run(f"input(); from {command} import main; main(['--help'])")[::2] == (READER_LEFT, b"")
