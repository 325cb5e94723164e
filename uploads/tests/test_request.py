"""The protocol: bodies as they arrive, refusals before they do, ends of every kind."""

import errno
import os
from collections.abc import Callable
from typing import Any

import pytest
from uploadsvc.request import LINGER
from uploadsvc.sink import HIGH

from svckit import web

BODY = bytes(range(256)) * 40
HEAD = b"PUT /uploads/x HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(BODY)
CHUNKED = b"PUT /uploads/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
GET = b"GET /uploads/x HTTP/1.1\r\nHost: x\r\n\r\n"


def chunks(body: bytes, size: int) -> bytes:
    cut = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in cut) + b"0\r\n\r\n"


@pytest.mark.parametrize("request_bytes", [HEAD + BODY, CHUNKED + chunks(BODY, 1000), CHUNKED + chunks(BODY, 3)])
@pytest.mark.parametrize("step", [1, 7, 10**6])
def test_put_whole_byte_by_byte_and_in_pieces(service: Any, request_bytes: bytes, step: int) -> None:
    connection = service.connect()
    for at in range(0, len(request_bytes), step):
        connection.channel.dataReceived(request_bytes[at : at + step])
    (answer,) = connection.answers()
    assert answer[0] == 201
    assert service.files() == {"x": BODY}


def test_written_as_it_arrives(service: Any) -> None:
    connection = service.connect()
    connection.send(HEAD + BODY[:5000])
    (part,) = service.files().items()
    assert part[0].startswith(".parts/") and part[1] == BODY[:5000]
    assert service.site.intake.under_way == 1
    connection.send(BODY[5000:])
    assert service.files() == {"x": BODY} and service.site.intake.under_way == 0


def test_pipelined_and_kept_alive(service: Any) -> None:
    connection = service.connect()
    connection.send(HEAD + BODY + GET + HEAD.replace(b"/x", b"/y") + BODY + GET)
    assert [status for status, _, _ in connection.answers()] == [201, 200, 201, 200]
    assert connection.answers()[1][2] == BODY
    assert not connection.transport.disconnecting


def test_pipelined_behind_a_slow_disk(make_uploads: Callable[..., Any], held: Any) -> None:
    service = make_uploads(held)
    connection = service.connect()
    connection.send(HEAD + BODY + GET)
    assert connection.answers() == []
    held.run_all()
    assert [status for status, _, _ in connection.answers()] == [201, 200]


def test_what_was_changed_meanwhile_is_not_overwritten(service: Any) -> None:
    etag = service.connect().ask("PUT", "/uploads/x", b"old")[1]["etag"]
    slow = [service.connect() for _ in range(2)]
    for connection in slow:
        connection.send(HEAD[:-2] + f"If-Match: {etag}\r\n\r\n".encode() + BODY[:-1])
    slow[0].send(BODY[-1:])
    assert [answer[0] for answer in slow[0].answers()] == [200] and service.files()["x"] == BODY
    service.connect().ask("PUT", "/uploads/x", b"newer")
    slow[1].send(BODY[-1:])
    assert [answer[0] for answer in slow[1].answers()] == [412]
    assert service.files() == {"x": b"newer"}


def test_nor_is_it_removed(make_uploads: Callable[..., Any], held: Any) -> None:
    service = make_uploads(held)
    (service.root / "x").write_bytes(b"old")
    connection = service.connect()
    connection.send(b"GET /uploads/x HTTP/1.1\r\nHost: x\r\n\r\n")
    ((_, headers, _),) = connection.answers()
    connection.transport.clear()
    connection.send(f"DELETE /uploads/x HTTP/1.1\r\nHost: x\r\nIf-Match: {headers['etag']}\r\n\r\n".encode())
    (service.root / "x").write_bytes(b"newer")
    held.run_all()
    assert connection.answers()[0][0] == 412 and service.files() == {"x": b"newer"}


def test_early_end_leaves_nothing(service: Any) -> None:
    connection = service.connect()
    connection.send(HEAD + BODY[:-1])
    connection.lose()
    assert service.files() == {} and service.site.intake.under_way == 0


def test_early_end_keeps_the_old_one(service: Any) -> None:
    (service.root / "x").write_bytes(b"old")
    connection = service.connect()
    connection.send(HEAD + BODY[:-1])
    connection.lose()
    assert service.files() == {"x": b"old"}


@pytest.mark.parametrize("sent", [b"", b"5\r\nab", b"5\r\nabcde\r\n", b"5\r\nabcde\r\n0\r\n"])
def test_chunked_body_that_is_not_ended_leaves_nothing(service: Any, sent: bytes) -> None:
    connection = service.connect()
    connection.send(CHUNKED + sent)
    connection.lose()
    assert service.files() == {}


@pytest.mark.parametrize("sent", [b"zz\r\n", b"-5\r\nabcde\r\n", b"5\r\nabcdefgh\r\n", b"5 ;\x01\r\nabcde\r\n0\r\n\r\n"])
def test_malformed_chunks_leave_nothing(service: Any, sent: bytes) -> None:
    connection = service.connect()
    connection.send(CHUNKED + sent)
    connection.lose()
    assert service.files() == {}


def test_chunk_extensions_are_passed_over_and_bounded(service: Any) -> None:
    connection = service.connect()
    connection.send(CHUNKED + b'5;name="value";x\r\nabcde\r\n0;last\r\n\r\n')
    assert connection.answers()[0][0] == 201 and service.files() == {"x": b"abcde"}
    endless = service.connect()
    endless.send(CHUNKED.replace(b"/x", b"/y") + b"5;" + b"x" * 5000)
    assert endless.transport.value().startswith(b"HTTP/1.1 400 ") and endless.transport.half_closed
    endless.lose()
    assert service.files() == {"x": b"abcde"}


def test_client_that_leaves_while_the_disk_is_slow(make_uploads: Callable[..., Any], held: Any) -> None:
    service = make_uploads(held)
    connection = service.connect()
    connection.send(HEAD + BODY[:100])
    connection.lose()
    held.run_all()
    assert service.files() == {} and service.site.intake.under_way == 0


def test_client_that_leaves_when_all_is_there(make_uploads: Callable[..., Any], held: Any) -> None:
    service = make_uploads(held)
    connection = service.connect()
    connection.send(HEAD + BODY)
    connection.lose()
    held.run_all()
    assert service.files() == {"x": BODY}, "it was whole: it counts, though nobody hears of it"


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 5\r\nContent-Length: 6\r\n",
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        b"Content-Length: -5\r\n",
        b"Content-Length: 5x\r\n",
        b"Transfer-Encoding: gzip\r\n",
        b"Transfer-Encoding: chunked, chunked\r\n",
    ],
)
def test_lengths_that_contradict_are_refused(service: Any, head: bytes) -> None:
    connection = service.connect()
    connection.send(b"PUT /uploads/x HTTP/1.1\r\nHost: x\r\n" + head + b"\r\nabcde")
    assert connection.transport.value().startswith(b"HTTP/1.1 400 ")
    assert connection.transport.half_closed
    connection.lose()
    assert service.files() == {}


def test_more_than_said_is_the_next_request(service: Any) -> None:
    connection = service.connect()
    connection.send(HEAD + BODY + b"surplus\r\n\r\n")
    assert service.files() == {"x": BODY}
    assert connection.transport.value().count(b"HTTP/1.1 400 ") == 1 and connection.transport.half_closed


# -- refusals before the body


def early(service: Any, request_bytes: bytes) -> Any:
    connection = service.connect()
    connection.send(request_bytes)
    return connection


@pytest.mark.parametrize("expect", [b"", b"Expect: 100-continue\r\n"])
@pytest.mark.parametrize(
    ("line", "headers", "status"),
    [
        (b"PUT /uploads/x", b"Content-Length: 1001\r\n", 413),
        (b"PUT /uploads/x", b"Content-Length: 99999999999999999999\r\n", 413),
        (b"PUT /uploads/.x", b"Content-Length: 5\r\n", 400),
        (b"PUT /uploads/a/b", b"Content-Length: 5\r\n", 400),
        (b"PUT /uploads/a%2Fb", b"Content-Length: 5\r\n", 400),
        (b"PUT /uploads/%2e%2e%2Fx", b"Content-Length: 5\r\n", 400),
        (b"PUT /uploads/../../x", b"Content-Length: 5\r\n", 400),
        (b"PUT /uploads/%zz", b"Transfer-Encoding: chunked\r\n", 400),
        (b"PUT /uploads/", b"Content-Length: 5\r\n", 405),
        (b"POST /uploads/x", b"Content-Length: 5\r\n", 405),
        (b"GET /uploads/x", b"Content-Length: 5\r\n", 400),
        (b"PUT /uploads/x", b"Content-Length: 5\r\nContent-Encoding: gzip\r\n", 415),
        (b"PUT /uploads/old", b"Content-Length: 5\r\nIf-None-Match: *\r\n", 412),
    ],
)
def test_refused_from_the_head(
    make_uploads: Callable[..., Any], line: bytes, headers: bytes, expect: bytes, status: int
) -> None:
    service = make_uploads(max_size=1000)
    (service.root / "old").touch()
    connection = early(service, line + b" HTTP/1.1\r\nHost: x\r\n" + headers + expect + b"\r\n")
    ((got, fields, body),) = connection.answers()
    assert (got, fields["connection"]) == (status, "close")
    assert fields["x-content-type-options"] == "nosniff" and body.endswith(b".\n")
    assert ("allow" in fields) == (status == 405)
    assert connection.transport.half_closed and not connection.transport.disconnected
    assert service.files() == {"old": b""}


def test_continue_is_said_to_who_may(service: Any) -> None:
    connection = early(service, HEAD.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"))
    assert connection.transport.value() == b"HTTP/1.1 100 Continue\r\n\r\n"
    connection.transport.clear()
    connection.send(BODY)
    assert connection.answers()[0][0] == 201


def test_refused_client_may_go_on_for_a_while(make_uploads: Callable[..., Any]) -> None:
    service = make_uploads(max_size=10)
    connection = early(service, HEAD)
    for _ in range(9):
        connection.clock.advance(LINGER / 10)
        connection.send(BODY[:100])
    assert not connection.transport.disconnected
    connection.clock.advance(LINGER / 10 + 0.01)
    assert connection.transport.disconnected
    assert len(connection.answers()) == 1 and service.files() == {}


def test_refused_body_that_ends_in_time_ends_the_connection(make_uploads: Callable[..., Any]) -> None:
    service = make_uploads(max_size=10)
    connection = early(service, HEAD + BODY + GET)
    assert connection.transport.disconnecting and not connection.transport.disconnected
    assert len(connection.answers()) == 1, "what is pipelined behind is not answered"
    connection.lose()
    assert connection.clock.getDelayedCalls() == [call for call in connection.clock.getDelayedCalls() if not call.active()]


def test_a_chunked_body_is_measured_as_it_comes(make_uploads: Callable[..., Any]) -> None:
    service = make_uploads(max_size=1000)
    assert service.connect().ask("PUT", "/uploads/fits", chunks(BODY[:1000], 300), Transfer_Encoding="chunked")[0] == 201
    connection = early(service, CHUNKED + chunks(BODY[:1001], 300))
    ((status, headers, _),) = connection.answers()
    assert (status, headers["connection"]) == (413, "close")
    assert list(service.files()) == ["fits"] and service.site.intake.under_way == 0


def test_more_uploads_than_allowed(make_uploads: Callable[..., Any]) -> None:
    service = make_uploads(parallel=2)
    first, second = early(service, HEAD), early(service, HEAD.replace(b"/x", b"/y"))
    third = early(service, HEAD.replace(b"/x", b"/z"))
    ((status, headers, _),) = third.answers()
    assert status == 503 and int(headers["retry-after"]) > 0
    first.lose()
    assert service.connect().ask("PUT", "/uploads/z", b"abc")[0] == 201
    second.send(BODY)
    assert second.answers()[0][0] == 201


@pytest.mark.parametrize(("path", "status"), [("/uploads/.x", 400), ("/uploads/a/b", 400), ("/uploads/%zz", 400)])
def test_refusals_without_a_body_keep_the_connection(service: Any, path: str, status: int) -> None:
    connection = service.connect()
    connection.send(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert connection.transport.value().startswith(b"HTTP/1.1 %d " % status)
    assert connection.ask("GET", "/uploads/")[0] == 200


def test_put_without_any_length(service: Any) -> None:
    connection = service.connect()
    assert connection.ask("PUT", "/uploads/x")[0] == 411
    assert connection.ask("PUT", "/uploads/x", b"")[0] == 201
    assert service.files() == {"x": b""}


# -- the disk


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
    def writev(fd: int, batch: Any) -> int:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "writev", writev)
    connection = early(service, HEAD + BODY[:10])
    assert connection.answers()[0][0] == 500 and service.files() == {}


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
