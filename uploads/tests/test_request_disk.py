"""Uploads on a disk that is slow, full or broken."""

import errno
import os
from collections.abc import Callable
from typing import Any

import pytest
from uploadsvc.sink import HIGH

from svckit import web

from .requests_put import BODY, HEAD, early


def test_a_slow_disk_pauses_the_socket_and_not_for_ever(make_uploads: Callable[..., Any], held: Any) -> None:
    service = make_uploads(held, idle_timeout=10)
    connection = service.connect()
    size = 2 * HIGH
    connection.send(HEAD.replace(b"%d" % len(BODY), b"%d" % size) + b"x" * HIGH)
    assert connection.transport.producerState == "producing"
    connection.send(b"x")
    assert connection.transport.producerState == "paused"
    connection.clock.advance(1000)
    assert not connection.transport.disconnecting, "the client is not idle: we are slow"
    held.run_all()
    assert connection.transport.producerState == "producing"
    connection.clock.advance(9)
    connection.send(b"x" * (size - HIGH - 1))
    held.run_all()
    assert connection.answers()[0][0] == 201
    assert service.files()["x"] == b"x" * size


def test_paused_by_the_last_piece(make_uploads: Callable[..., Any], held: Any) -> None:
    service = make_uploads(held, idle_timeout=10)
    connection = service.connect()
    size = HIGH + 1
    connection.send(HEAD.replace(b"%d" % len(BODY), b"%d" % size) + b"x" * size)
    assert connection.transport.producerState == "producing", "so that the end of the connection is seen"
    connection.clock.advance(1000)
    held.run_all()
    assert connection.answers()[0][0] == 201
    connection.clock.advance(9)
    assert not connection.transport.disconnecting
    connection.clock.advance(2)
    assert connection.transport.disconnecting, "the idle time counts again"


def test_idle_client_is_let_go(make_uploads: Callable[..., Any]) -> None:
    service = make_uploads(idle_timeout=10)
    connection = early(service, HEAD)
    for at in range(20):
        connection.clock.advance(9)
        connection.send(BODY[at : at + 1])
    assert not connection.transport.disconnecting, "slow is not idle"
    connection.clock.advance(11)
    assert connection.transport.disconnecting
    connection.lose()
    assert service.files() == {}


def full_disk(monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    """Let writev fail as a full disk does, after some calls."""
    real, left = os.writev, [after]

    def writev(fd: int, batch: Any) -> int:
        if not left[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        left[0] -= 1
        return real(fd, batch)

    monkeypatch.setattr(os, "writev", writev)


@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_full_disk_midway(service: Any, monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    service.site.together = None  # else it waits in memory until it is whole
    full_disk(monkeypatch, after)
    connection = early(service, HEAD + BODY[:100])
    connection.send(BODY[100:200])
    connection.send(BODY[200:300])
    ((status, headers, _),) = connection.answers()
    assert (status, headers["connection"]) == (507, "close")
    assert connection.transport.half_closed
    connection.send(BODY[300:])
    assert service.files() == {} and service.site.intake.under_way == 0
    monkeypatch.undo()
    assert service.connect().ask("PUT", "/uploads/x", BODY)[0] == 201


def test_a_full_disk_while_paused_reads_on_to_throw_away(
    make_uploads: Callable[..., Any], held: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    full_disk(monkeypatch, 0)
    service = make_uploads(held)
    connection = service.connect()
    connection.send(HEAD.replace(b"%d" % len(BODY), b"%d" % (3 * HIGH)) + b"x" * (HIGH + 1))
    assert connection.transport.producerState == "paused"
    held.run_all()
    assert connection.answers()[0][0] == 507 and connection.transport.producerState == "producing"


def test_a_full_disk_at_the_end_keeps_the_connection(service: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fsync(fd: int) -> None:
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    monkeypatch.setattr(os, "fsync", fsync)
    connection = service.connect()
    assert connection.ask("PUT", "/uploads/x", BODY)[0] == 507
    assert service.files() == {}
    monkeypatch.undo()
    assert connection.ask("PUT", "/uploads/x", BODY)[0] == 201


def test_a_disk_that_breaks_is_our_fault(service: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    service.site.together = None  # else it waits in memory until it is whole

    def writev(fd: int, batch: Any) -> int:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "writev", writev)
    connection = early(service, HEAD + BODY[:10])
    assert connection.answers()[0][0] == 500 and service.files() == {}


@pytest.mark.parametrize("way", ["quick", "ordinary"])
def test_a_folder_that_is_gone_is_our_fault(service: Any, way: str) -> None:
    if way == "ordinary":
        service.site.together = None
    service.root.rename(service.root.with_name("elsewhere"))
    assert service.connect().ask("PUT", "/uploads/x", b"abc")[0] == 500, "not 404, which is about what a client asks for"
    assert service.connect().ask("GET", "/uploads/x")[0] == service.connect().ask("DELETE", "/uploads/x")[0] == 404


def test_logged_once_each(service: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    logged: list[tuple[bytes, int]] = []
    monkeypatch.setattr(service.site, "log", lambda request: logged.append((request.method, request.code)))
    early(service, HEAD + BODY + b"PUT /uploads/.x HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc").lose()
    assert logged == [(b"PUT", 201), (b"PUT", 400)]


def test_not_logged_where_nobody_wants_it(make_uploads: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    monkeypatch.setattr(web.access_log, "info", lambda text, **event: lines.append(event["method"]))
    for log_requests in (True, False):
        assert make_uploads(log_requests=log_requests).connect().ask("PUT", "/uploads/x", b"abc")[0] in (200, 201)
    assert lines == ["PUT"]
