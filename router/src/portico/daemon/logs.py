"""Where a daemon's log goes, in which format, and how it is rotated: what the options of `twistd portico` say."""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TextIO, cast

from svckit.logs import JsonLines
from twisted.logger import FileLogObserver, ILogObserver, Logger, LogLevel, formatEventAsClassicLogText

from ..accesslog import Stream
from .logfile import LogFile, Rotation

__all__ = ["CLASSIC", "FORMATS", "JSON", "TWISTD", "EventLines", "Log", "open_log"]

CLASSIC, JSON, TWISTD = "classic", "json", "twistd"
FORMATS = (CLASSIC, JSON, TWISTD)
"""twistd's lines and JSON lines, both in a file of ours; and all left to twistd: its lines in its file."""


_access, _log = Logger(namespace="portico.access"), Logger(namespace="portico.daemon.logs")


class EventLines:
    """A stream whose lines become events of the log."""

    def write(self, text: str, /) -> None:
        """Whole lines."""
        for line in text.splitlines():
            _access.info("{line}", line=line)

    def flush(self) -> None:
        """Nothing waits."""


@dataclass(frozen=True, slots=True)
class Log:
    """An open log."""

    observer: ILogObserver | None
    """For events; None: twistd makes its own."""
    access: Stream
    """For the access log."""
    file: LogFile | None = None
    """Where it is a file of ours."""
    reopens: bool = False
    """Whether SIGUSR1 opens it anew, instead of rotating it."""

    def hear(self) -> None:
        """SIGUSR1 has come."""
        if self.file is None:
            _log.info("SIGUSR1: the log is no file of Portico's, so there is nothing to rotate or to open anew")
        else:
            (self.file.reopen if self.reopens else self.file.rotate)()

    def entered(self, inside: Path) -> None:
        """The process has been given another root folder, in which the file has this path."""
        if self.file is not None:
            self.file.path = inside


def open_log(
    form: str, path: str | None, rotation: Rotation, reopens: bool, owner: tuple[int, int] | None, **always: str
) -> Log:
    """`path`: the file, or None for standard output. `always` is in each JSON line.

    Raises:
        OSError: the file cannot be opened.
    """
    if form == TWISTD:
        return Log(None, EventLines())
    if path is None:
        stream, file = cast(Stream, sys.stdout), None  # before twistd puts its log in that place
    else:
        remark = _json_remark(always) if form == JSON else _classic_remark
        if reopens:
            rotation = Rotation(size=0)
        stream = file = LogFile(Path(path).absolute(), rotation, owner, remark)
    if form == JSON:
        return Log(JsonLines(cast(TextIO, stream), LogLevel.info, **always), stream, file, reopens)
    observer = FileLogObserver(cast(TextIO, stream), formatEventAsClassicLogText)
    return Log(observer, EventLines(), file, reopens)


def _classic_remark(text: str) -> str:
    now = datetime.fromtimestamp(time.time()).astimezone()
    return f"{now:%Y-%m-%dT%H:%M:%S%z} [portico.daemon.logfile#warn] {text}\n"


def _json_remark(always: dict[str, str]) -> Callable[[str], str]:
    def remark(text: str) -> str:
        now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
        line = {"time": now, "level": "warn", **always, "from": "portico.daemon.logfile", "message": text}
        return json.dumps(line) + "\n"

    return remark
