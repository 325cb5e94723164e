"""The access log: one JSON line for each connection that leaves the router, written in batches."""

import errno
import os
from datetime import datetime, timedelta, timezone
from select import PIPE_BUF
from types import SimpleNamespace
from typing import Any, cast

import pytest
from portico.accesslog import FLUSH_DELAY, LINES_AT_ONCE
from portico.arrival import Arrival
from portico.core.answers import BAD_REQUEST, LEFT, SILENT
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher

from .support.reactor import HandReactor
from .support.wires import Logged, arrive

HEAD = b"PUT /\xe9?q HTTP/1.1\r\nX: host: no\r\nhOsT: \t example:80 \r\n\r\n"
EMPTY: dict[str, object] = {
    "replica": None,
    "status": None,
    "ended": "--",
    "why": None,
    "up": None,
    "down": None,
    "returned": False,
    "log": "access",
}


def arrived(preface: bytes = HEAD, service: str | None = "static", **kw: Any) -> Arrival:
    client, arrival = arrive(preface, **kw)
    client.close()
    if service is not None:
        arrival.service = SimpleNamespace(name=service)  # type: ignore[assignment]
    return arrival


def test_put_through(reactor: HandReactor, logged: Logged) -> None:
    arrival = arrived(since=reactor.seconds())
    reactor.advance(0.0125)
    logged.log.put_through(arrival, "handed over", "replica-1")
    (line,) = logged.lines
    assert abs(datetime.fromisoformat(str(line.pop("time"))) - datetime.now(timezone.utc)) < timedelta(minutes=1)
    assert line == {
        **EMPTY,
        "client": "127.0.0.1",
        "port": arrival.client[1],
        "service": "static",
        "replica": "replica-1",
        "how": "handed over",
        "method": "PUT",
        "target": "/\xe9?q",
        "host": "example:80",
        "ms": 12.5,
    }


def test_answered_before_there_was_a_head(logged: Logged) -> None:
    logged.log.answered(arrived(b"bad", service=None, returned=True), BAD_REQUEST)
    (line,) = logged.lines
    assert (line["how"], line["status"], line["why"], line["ended"]) == ("answered", 400, BAD_REQUEST.why, "PR")
    assert (line["service"], line["method"], line["target"], line["host"]) == (None, None, None, None)
    assert line["returned"] is True


@pytest.mark.parametrize("preface", [b"", b"GET"])
def test_who_ended_a_connection_without_an_answer(logged: Logged, preface: bytes) -> None:
    logged.log.answered(arrived(preface, service=None), SILENT)
    logged.log.answered(arrived(preface, service=None), LEFT)
    assert [(line["status"], line["ended"]) for line in logged.lines] == [(0, "cR"), (0, "CR")]


def test_a_tunnel(logged: Logged) -> None:
    logged.log.tunnel_ended(arrived(), "10.0.0.1:80", "CD", 12, 1 << 40)
    (line,) = logged.lines
    assert (line["how"], line["replica"], line["ended"]) == ("tcp", "10.0.0.1:80", "CD")
    assert (line["up"], line["down"], line["status"]) == (12, 1 << 40, None)


@pytest.mark.parametrize(
    ("fields", "host"),
    [
        (b"", None),
        (b"Host:\r\n", ""),
        (b"Host:a\r\n", "a"),
        (b"A: b\r\nHOST:  a b \r\nC: d\r\n", "a b"),
        (b"X-Host: a\r\n", None),
        (b"Host: first\r\nHost: second\r\n", "first"),
        (b"Host: \xff\r\n", "\xff"),
    ],
)
def test_the_host(logged: Logged, fields: bytes, host: str | None) -> None:
    logged.log.put_through(arrived(b"GET / HTTP/1.1\r\n" + fields + b"\r\n"), "in process", None)
    assert logged.lines[0]["host"] == host


def test_a_host_full_of_blanks_is_read_in_one_pass(logged: Logged) -> None:
    """An expression that went back again and again would never end here."""
    preface = b"GET / HTTP/1.1\r\nHost: a" + b" " * (1 << 20) + b"b\r\n\r\n"
    logged.log.put_through(arrived(preface), "in process", None)
    assert str(logged.lines[0]["host"]).endswith(" b")


def test_lines_are_gathered_and_written_together(reactor: HandReactor, logged: Logged) -> None:
    written: list[str] = []
    logged.stream.write = written.append  # type: ignore[method-assign, assignment]
    for _ in range(3):
        logged.log.put_through(arrived(), "in process", None)
    reactor.advance(FLUSH_DELAY / 2)
    assert written == []
    reactor.advance(FLUSH_DELAY)
    assert [text.count("\n") for text in written] == [3]
    assert reactor.getDelayedCalls() == []
    logged.log.put_through(arrived(), "in process", None)
    reactor.advance(FLUSH_DELAY)
    assert [text.count("\n") for text in written] == [3, 1]


def test_a_batch_goes_out_in_whole_lines_that_a_pipe_takes_in_one_piece(logged: Logged) -> None:
    """Several workers write to the same pipe, which keeps each piece of up to PIPE_BUF bytes together."""
    written: list[str] = []
    logged.stream.write = written.append  # type: ignore[method-assign, assignment]
    for number in range(200):
        logged.log.put_through(arrived(b"GET /%d HTTP/1.1\r\n\r\n" % number), "in process", None)
    logged.log.put_through(arrived(b"GET /%s HTTP/1.1\r\n\r\n" % (b"x" * PIPE_BUF)), "in process", None)  # goes by itself
    logged.log.put_through(arrived(b"GET /last HTTP/1.1\r\n\r\n"), "in process", None)
    logged.log.flush()
    assert [piece.count("\n") for piece in written[-2:]] == [1, 1]
    assert all(len(piece) <= PIPE_BUF for piece in written if "xxx" not in piece)
    assert len(written) < 40
    lines = [line for piece in written for line in piece.splitlines()]
    assert all(piece.endswith("}\n") for piece in written)
    assert [f'"target":"/{number}"' in line for number, line in enumerate(lines[:200])] == [True] * 200
    assert len(lines) == 202


def test_flush_writes_at_once_and_only_once(reactor: HandReactor, logged: Logged) -> None:
    logged.log.flush()
    assert logged.stream.getvalue() == ""
    logged.log.put_through(arrived(), "in process", None)
    logged.log.flush()
    assert logged.stream.getvalue().count("\n") == 1
    assert reactor.getDelayedCalls() == []
    reactor.advance(1)
    assert logged.stream.getvalue().count("\n") == 1


def test_a_full_disk_costs_lines_and_no_connection(
    reactor: HandReactor, logged: Logged, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever writes the line that is one too many goes on with its connection."""

    def full(text: str) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    said: list[LogEvent] = []
    observer = cast(ILogObserver, said.append)
    globalLogPublisher.addObserver(observer)
    arrival = arrived()
    with monkeypatch.context() as patch:
        patch.setattr(logged.stream, "write", full)
        for _ in range(2 * LINES_AT_ONCE):
            logged.log.answered(arrival, BAD_REQUEST)
        reactor.advance(FLUSH_DELAY)
    globalLogPublisher.removeObserver(observer)
    assert [event["why"] for event in said] == ["No space left on device"]  # once
    assert logged.stream.getvalue() == ""
    logged.log.answered(arrival, LEFT)
    reactor.advance(FLUSH_DELAY)
    assert [line["why"] for line in logged.lines] == [LEFT.why]
    assert reactor.getDelayedCalls() == []
