"""Logs as JSON, one line an event, on standard output: what a container's log should be.

Every scalar that an event carries becomes a key of its own; the formatted text stands under `message`. A failure adds its
traceback under `trace`.
"""

import json
import sys
from datetime import datetime, timezone
from typing import TextIO

import msgspec
from twisted.logger import ILogObserver, LogEvent, LogLevel, formatEvent, globalLogBeginner
from zope.interface import implementer

__all__ = ["JsonLines", "begin"]

_CHATTER = frozenset({"twisted.protocols.amp"})
"""Who tells of each connection within the cell, which each health check opens one of; only its warnings are written."""
_SCALARS = (str, int, float, bool, type(None))
_encode = msgspec.json.Encoder().encode


@implementer(ILogObserver)
class JsonLines:
    """Writes each event of `least` or above as one line to `stream`."""

    def __init__(self, stream: TextIO, least: LogLevel = LogLevel.info, **always: str) -> None:
        """`always` is added to each line, for instance the service's name."""
        self._write, self._flush = stream.write, stream.flush
        self._least = least
        self._always = always

    def __call__(self, event: LogEvent) -> None:
        level = event.get("log_level") or LogLevel.info
        if level < self._least or (level < LogLevel.warn and event.get("log_namespace") in _CHATTER):
            return
        when = datetime.fromtimestamp(event["log_time"], timezone.utc).isoformat(timespec="milliseconds")
        line: dict[str, object] = {"time": when, "level": level.name, **self._always}
        line["from"] = event.get("log_namespace") or event.get("log_system")
        line["message"] = formatEvent(event)
        for key, value in event.items():
            if not key.startswith("log_") and key not in line and isinstance(value, _SCALARS):
                line[key] = value
        failure = event.get("log_failure")
        if failure is not None:
            line["trace"] = failure.getTraceback()
        try:
            text = _encode(line).decode()
        except (UnicodeEncodeError, OverflowError):  # a file name that is not UTF-8, a very large number
            text = json.dumps(line)
        self._write(text + "\n")
        self._flush()


def begin(**always: str) -> None:
    """Send everything that is logged, and warnings, to standard output as JSON lines."""
    globalLogBeginner.beginLoggingTo([JsonLines(sys.stdout, LogLevel.info, **always)], redirectStandardIO=False)
