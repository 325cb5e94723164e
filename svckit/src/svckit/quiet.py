"""A command whose reader leaves, as in `portico route FILE … | head`, ends without a word, as other programs do by SIGPIPE."""

import os
import signal
import sys
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

__all__ = ["READER_LEFT", "ends_with_its_reader"]

READER_LEFT = 128 + signal.SIGPIPE
"""The exit status; what a shell says of a program that SIGPIPE has ended."""

P = ParamSpec("P")
R = TypeVar("R")


def ends_with_its_reader(main: Callable[P, R]) -> Callable[P, R]:
    """Ends the process when what `main` prints is read by nobody any more."""

    @wraps(main)
    def quiet(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            try:
                return main(*args, **kwargs)
            finally:
                sys.stdout.flush()  # not at the end of the interpreter, who would complain
        except BrokenPipeError:
            nothing = os.open(os.devnull, os.O_WRONLY)
            for stream in (sys.stdout, sys.stderr):
                os.dup2(nothing, stream.fileno())  # for what they still hold
            sys.exit(READER_LEFT)

    return quiet
