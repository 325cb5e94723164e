"""`portico daemon-setup` and `portico daemon-check`: their part of the command line."""

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

__all__ = ["add"]


def add(commands: "Commands") -> None:
    """Add both to the parser of `portico`."""
    check = commands.add_parser("daemon-check", help="say what would fail in a daemon that twistd is to start")
    check.set_defaults(call=_check)
    setup = commands.add_parser(
        "daemon-setup", help="make the folders and the log file of such a daemon, with the right owners"
    )
    setup.add_argument("--dry-run", action="store_true", help="only say what would be done")
    setup.add_argument(
        "--take-over", action="store_true", help="give the daemon's user what belongs to a third one now, instead of refusing"
    )
    setup.set_defaults(call=_setup)
    for each in (check, setup):
        each.add_argument("words", nargs=argparse.REMAINDER, metavar="COMMAND", help="twistd and all its arguments")


def _check(chosen: argparse.Namespace) -> int:
    from .check import run

    return run(_words(chosen))


def _setup(chosen: argparse.Namespace) -> int:
    from .setup import run

    return run(_words(chosen), chosen.dry_run, chosen.take_over)


def _words(chosen: argparse.Namespace) -> list[str]:
    words: list[str] = chosen.words
    return words[1:] if words[:1] == ["--"] else words
