"""A second request for an upload that another one holds, and what may go on at a time."""

from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.defer import Deferred, maybeDeferred
from uploadsvc.tus.holding import TAKE_OVER

from .tus_client import BODY, Client, finals, patch_head

# -- taking over


def test_a_second_request_takes_over(service: Any, client: Client) -> None:
    where = client.create()
    hanging = service.connect()
    hanging.send(patch_head(where, 0, len(BODY)) + BODY[:3000])
    client.connection.transport.clear()
    client.connection.send(f"HEAD {where} HTTP/1.1\r\nHost: x\r\nTus-Resumable: 1.0.0\r\n\r\n".encode())
    assert client.connection.answers() == []
    service.clock.look()
    assert hanging.answers()[0][0] == 423 and hanging.transport.half_closed
    service.clock.advance(0.1)
    assert client.connection.answers()[0][1]["upload-offset"] == "3000"
    hanging.send(BODY[3000:])
    assert client.offset(where) == 3000, "what the one that was broken off still sends does not count"
    assert client.patch(where, 3000, BODY[3000:])[0] == 204
    assert finals(service) == {"x": BODY} and service.clock.readers == []


def test_one_that_does_not_let_go(make_uploads: Callable[..., Any]) -> None:
    stuck: list[Deferred[Any]] = []

    def run(job: Callable[[], Any]) -> "Deferred[Any]":
        if getattr(getattr(job, "func", None), "__name__", "") == "append":
            stuck.append(Deferred())
            return stuck[-1]
        return maybeDeferred(job)

    service = make_uploads(run)
    client = Client(service)
    where = client.create()
    hanging = service.connect()
    hanging.send(patch_head(where, 0, len(BODY)) + BODY[:3000])
    waiting = service.connect()
    waiting.send(patch_head(where, 0, len(BODY)))
    service.clock.pump([0.05] * int(TAKE_OVER / 0.05 + 2))
    assert waiting.answers()[0][0] == 423


def test_a_client_that_leaves_while_its_upload_is_opened(make_uploads: Callable[..., Any], held: Any) -> None:
    service = make_uploads(held)
    for _ in range(2):
        connection = service.connect()
        connection.send(
            b"POST /uploads/ HTTP/1.1\r\nHost: x\r\nTus-Resumable: 1.0.0\r\nUpload-Length: 9\r\nContent-Length: 0\r\n\r\n"
        )
        held.run_all()
        where = connection.answers()[0][1]["location"]
        for jobs in (0, 1, 2):
            leaving = service.connect()
            leaving.send(patch_head(where, 0, 9))
            for _ in range(jobs):
                held.run_one()
            leaving.lose()
            held.run_all()
        connection.transport.clear()
        connection.send(patch_head(where, 0, 9) + b"123456789")
        held.run_all()
        assert connection.answers()[0][0] == 204, "no lock was left behind"
    assert service.site.intake.under_way == 0 and service.clock.readers == []


# -- users


@pytest.mark.parametrize("way", ["creation", "patch", "put"])
def test_no_more_at_a_time_while_the_disk_is_asked(make_uploads: Callable[..., Any], held: Any, way: str) -> None:
    service = make_uploads(held, parallel=1, total_size=10**6)
    where = []
    for _ in range(2):
        connection = service.connect()
        connection.send(b"POST /uploads/ HTTP/1.1\r\nHost: x\r\nTus-Resumable: 1.0.0\r\nUpload-Length: 9\r\n\r\n")
        held.run_all()
        where.append(connection.answers()[0][1]["location"])
    heads = [patch_head(path, 0, 9) for path in where]
    if way == "creation":
        heads = [head.replace(b"PATCH " + where[at].encode(), b"POST /uploads/") for at, head in enumerate(heads)]
        heads = [head.replace(b"Upload-Offset: 0", b"Upload-Length: 9") for head in heads]
    if way == "put":
        heads = [b"PUT /uploads/x HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n"] * 2
    both = [service.connect() for _ in heads]
    for connection, head in zip(both, heads, strict=True):
        connection.send(head + b"abc")
    held.run_all()
    assert [[answer[0] for answer in connection.answers()] for connection in both] == [[], [503]]
    both[0].send(b"defghi")
    held.run_all()
    assert both[0].answers()[0][0] in (201, 204) and service.site.intake.busy() is None
