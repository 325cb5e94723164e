"""The protocol: bodies as they arrive, and ends of every kind."""

from collections.abc import Callable
from typing import Any

import pytest

from .requests_put import BODY, CHUNKED, GET, HEAD, chunks


@pytest.mark.parametrize("request_bytes", [HEAD + BODY, CHUNKED + chunks(BODY, 1000), CHUNKED + chunks(BODY, 3)])
@pytest.mark.parametrize("step", [1, 7, 10**6])
def test_put_whole_byte_by_byte_and_in_pieces(service: Any, request_bytes: bytes, step: int) -> None:
    connection = service.connect()
    for at in range(0, len(request_bytes), step):
        connection.channel.dataReceived(request_bytes[at : at + step])
    connection.clock.advance(0)
    (answer,) = connection.answers()
    assert answer[0] == 201
    assert service.files() == {"x": BODY}


def test_written_as_it_arrives(service: Any) -> None:
    service.site.together = None  # else it waits in memory until it is whole
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
