"""`portico top`: the router's status as a live table in a terminal, until `q` or Ctrl-C."""

import os
import select
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec

from .client import fetch
from .report import Report
from .top import History, screen

__all__ = ["top"]

_ENTER = "\x1b[?1049h\x1b[?25l"
"""The terminal's other screen, without a cursor (xterm's control sequences)."""
_LEAVE = "\x1b[?25h\x1b[?1049l"
_HOME, _REST_OF_LINE, _REST = "\x1b[H", "\x1b[K", "\x1b[J"

Fetch = Callable[[str, str], tuple[int, bytes]]


def top(admin: str, every: float, look: Fetch = fetch) -> int:
    """Show the router at `admin` every so many seconds; returns the exit status.

    Raises:
        BadConfig: `admin` is not an address.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        print("portico: top needs a terminal; `portico status --watch 1` does without", file=sys.stderr)
        return 2
    history, colour = History(), not os.environ.get("NO_COLOR")
    with _raw_terminal():
        while True:
            status, body = look(admin, "/status")
            told = os.get_terminal_size(sys.stdout.fileno())
            size = os.terminal_size((told.columns or 80, told.lines or 24))  # some say nothing
            text = _text(status, body, history, size, colour)
            sys.stdout.write(_HOME + text.replace("\n", _REST_OF_LINE + "\r\n") + _REST_OF_LINE + _REST)
            sys.stdout.flush()
            if _quits(every):
                return 0


def _text(status: int, body: bytes, history: History, size: os.terminal_size, colour: bool) -> str:
    if status != 200:
        return body.decode("utf-8", "replace").strip()[: size.columns] + "\n\nq ends"
    try:
        report = msgspec.json.decode(body, type=Report)
    except msgspec.MsgspecError as error:
        return f"there is no router: {error}"[: size.columns] + "\n\nq ends"
    history.add(report, time.monotonic())
    return screen(report, history, size.columns, size.lines, colour)


def _quits(seconds: float) -> bool:
    """Whether somebody has pressed `q` or Ctrl-C, in the time between two looks."""
    try:
        ready, _, _ = select.select([sys.stdin], [], [], seconds)
    except KeyboardInterrupt:
        return True
    return bool(ready) and os.read(sys.stdin.fileno(), 64).lower() in (b"", b"q", b"\x03", b"\x1b")


@contextmanager
def _raw_terminal() -> Iterator[None]:
    """Keys come at once and are not shown; at the end all is as it was."""
    before = termios.tcgetattr(sys.stdin)
    sys.stdout.write(_ENTER)
    try:
        tty.setcbreak(sys.stdin)
        yield
    except KeyboardInterrupt:
        pass
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
        sys.stdout.write(_LEAVE)
        sys.stdout.flush()
