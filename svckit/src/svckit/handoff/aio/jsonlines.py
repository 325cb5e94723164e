"""Logs as JSON, one line an event, on standard output: the form that `svckit.logs` has, for the standard library's logging."""

import json
import logging
import sys
from datetime import datetime, timezone

__all__ = ["JsonLines", "log_as_json"]


class JsonLines(logging.Formatter):
    """Each record as one line; `always` is added to each, for instance the service's name."""

    def __init__(self, **always: str) -> None:
        super().__init__()
        self._always = always

    def format(self, record: logging.LogRecord) -> str:
        when = datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds")
        line: dict[str, object] = {
            "time": when,
            "level": _LEVELS.get(record.levelname, record.levelname.lower()),
            **self._always,
        }
        line["from"], line["message"] = record.name, record.getMessage()
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line)


_LEVELS = {"WARNING": "warn"}


def log_as_json(**always: str) -> None:
    """Send everything that is logged, and warnings, to standard output as JSON lines."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonLines(**always))
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    logging.captureWarnings(True)
