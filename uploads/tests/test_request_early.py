"""Refusals before a body arrives, and what becomes of the body."""

from collections.abc import Callable
from typing import Any

import pytest
from uploadsvc.refusals import LINGER

from .requests_put import BODY, CHUNKED, GET, HEAD, chunks, early


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
