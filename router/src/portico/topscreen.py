"""`portico top`: the router's status as a live table in a terminal, until `q` or Ctrl-C.

Whatever ends it or stops it (SIGTERM, Ctrl-Z), the terminal is as it was before.
"""

import os
import select
import signal
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

import msgspec

from .client import fetch
from .report import Report
from .top import History, screen

__all__ = ["top"]

_ENTER = "\x1b[?1049h\x1b[?25l"
"""The terminal's other screen, without a cursor (xterm's control sequences)."""
_LEAVE = "\x1b[?25h\x1b[?1049l"
_ENDINGS = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
"""Signals that end the program, as without a handler, but only when the terminal is as it was."""
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


class _Ended(BaseException):
    """One of `_ENDINGS` has come, wherever the program was."""

    def __init__(self, number: int) -> None:
        self.number = number


@contextmanager
def _raw_terminal() -> Iterator[None]:
    """Keys come at once and are not shown; at the end all is as it was."""
    before = termios.tcgetattr(sys.stdin)

    def enter() -> None:
        sys.stdout.write(_ENTER)
        sys.stdout.flush()
        tty.setcbreak(sys.stdin, termios.TCSADRAIN)

    def leave() -> None:
        with suppress(OSError, termios.error):  # at SIGHUP the terminal has gone
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
            sys.stdout.write(_LEAVE)
            sys.stdout.flush()

    def stop(number: int, frame: FrameType | None) -> None:
        leave()
        os.kill(os.getpid(), signal.SIGSTOP)
        enter()

    handlers = {number: signal.signal(number, _raise) for number in _ENDINGS}
    handlers[signal.SIGTSTP] = signal.signal(signal.SIGTSTP, stop)
    ended_by = None
    try:
        enter()
        yield
    except KeyboardInterrupt:
        pass
    except _Ended as ended:
        ended_by = ended.number
    finally:
        leave()
        for number, handler in handlers.items():
            signal.signal(number, handler)
    if ended_by is not None:
        os.kill(os.getpid(), ended_by)  # and so whoever started us sees what it was


def _raise(number: int, frame: FrameType | None) -> None:
    raise _Ended(number)
