"""One JSON line an event."""

import io
import json
from typing import Any

from svckit.logs import JsonLines
from twisted.logger import Logger, LogLevel
from twisted.python.failure import Failure


class Log:
    """A logger whose events come out as lines."""

    def __init__(self, **always: str) -> None:
        self.stream = io.StringIO()
        self.logger = Logger(namespace="test", observer=JsonLines(self.stream, LogLevel.info, **always))

    @property
    def lines(self) -> list[dict[str, Any]]:
        text = self.stream.getvalue()
        assert text == "" or text.endswith("\n")
        return [json.loads(line) for line in text.split("\n")[:-1]]


def test_an_event_is_a_line() -> None:
    log = Log(service="static", replica="a-1")
    log.logger.info("took {count} of {what!r}", count=3, what="them", ratio=0.5, good=True, none=None)
    [line] = log.lines
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "info",
        "service": "static",
        "replica": "a-1",
        "from": "test",
        "message": "took 3 of 'them'",
        "count": 3,
        "what": "them",
        "ratio": 0.5,
        "good": True,
        "none": None,
    }


def test_what_is_no_scalar_stands_in_the_text_only() -> None:
    log = Log()
    log.logger.info("{thing}", thing=[1, 2], data=b"x")
    assert log.lines[0]["message"] == "[1, 2]"
    assert not {"thing", "data"} & set(log.lines[0])


def test_an_event_cannot_speak_for_the_line_itself() -> None:
    log = Log(service="static")
    log.logger.info("x", time="now", message="other", service="another")
    [line] = log.lines
    assert (line["level"], line["message"], line["service"]) == ("info", "x", "static")
    assert line["time"] != "now"


def test_a_line_is_a_line_whatever_it_says() -> None:
    log = Log()
    log.logger.info("{text}", text='two\nlines "quoted" \x00\u2028 ä')
    log.logger.info("after")
    assert log.stream.getvalue().count("\n") == 2
    assert log.lines[0]["text"] == 'two\nlines "quoted" \x00\u2028 ä'


def test_what_is_not_unicode_or_very_large_is_written_all_the_same() -> None:
    """A file name that is not UTF-8 comes with surrogates."""
    log = Log()
    log.logger.info("{name}", name="a\udcffb")
    log.logger.info("{number}", number=10**30)
    assert [line["message"] for line in log.lines] == ["a\udcffb", str(10**30)]


def test_a_failure_has_its_trace() -> None:
    log = Log()
    try:
        raise RuntimeError("because")
    except RuntimeError:
        log.logger.failure("it failed", failure=Failure())
    [line] = log.lines
    assert line["level"] == "critical"
    assert line["message"] == "it failed"
    assert "RuntimeError: because" in line["trace"]


def test_less_than_the_least_is_left_out() -> None:
    log = Log()
    log.logger.debug("detail")
    log.logger.warn("careful")
    assert [line["message"] for line in log.lines] == ["careful"]


def test_an_event_of_the_old_kind_has_a_system() -> None:
    log = Log()
    JsonLines(log.stream)({"log_time": 0.0, "log_system": "old", "log_format": "hello"})
    assert log.lines == [{"time": "1970-01-01T00:00:00.000+00:00", "level": "info", "from": "old", "message": "hello"}]


def test_each_line_is_flushed() -> None:
    class Stream(io.StringIO):
        flushed = 0

        def flush(self) -> None:
            self.flushed += 1

    stream = Stream()
    Logger(namespace="test", observer=JsonLines(stream)).info("x")
    assert stream.flushed == 1


def test_who_tells_of_each_connection_is_heard_only_when_something_is_wrong() -> None:
    log = Log()
    amp = Logger(namespace="twisted.protocols.amp", observer=log.logger.observer)
    amp.info("connection established")
    amp.warn("something is wrong")
    assert [line["message"] for line in log.lines] == ["something is wrong"]
