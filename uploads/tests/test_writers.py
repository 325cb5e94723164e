"""Writing needs a login: what happens before the answer, and after each; the auth service is a double."""

from collections.abc import Callable
from typing import Any

import pytest
from twisted.logger import capturedLogs

from tests.support.no_entry import REFUSALS

from .writers import BODY, CHUNKED, CONTINUE, DELETE, GET, Writers, put, statuses


@pytest.fixture
def writers() -> Writers:
    return Writers()


@pytest.fixture
def guarded(make_uploads: Callable[..., Any], writers: Writers) -> Any:
    service = make_uploads()
    service.site.writers = writers
    return service


def test_nothing_is_read_stored_or_promised_before_the_answer(guarded: Any, writers: Writers) -> None:
    connection = guarded.connect()
    connection.send(put(b"Expect: 100-continue\r\n"))
    assert connection.transport.value() == b""
    assert connection.transport.producerState == "paused"
    assert guarded.files() == {}
    assert guarded.site.intake.under_way == 0
    (asked,) = writers.asked
    assert (asked.method, asked.uri, list(asked.authorization)) == (b"PUT", b"/uploads/x", [b"Basic YTpi"])
    writers.say(b"alice")
    assert connection.transport.value() == CONTINUE
    assert connection.transport.producerState == "producing"
    connection.transport.clear()
    connection.send(BODY)
    assert statuses(connection) == [201]
    assert guarded.files() == {"x": BODY}


@pytest.mark.parametrize("step", [1, 7, 10**6])
@pytest.mark.parametrize("request_bytes", [put() + BODY, CHUNKED + b"3e8\r\n" + BODY + b"\r\n0\r\n\r\n"])
def test_what_was_under_way_waits_and_is_not_lost(guarded: Any, writers: Writers, request_bytes: bytes, step: int) -> None:
    connection = guarded.connect()
    for at in range(0, len(request_bytes), step):
        connection.channel.dataReceived(request_bytes[at : at + step])
    assert guarded.files() == {}
    writers.say(b"alice")
    assert statuses(connection) == [201]
    assert guarded.files() == {"x": BODY}
    assert len(writers.asked) == 1


def test_no_100_for_a_client_that_has_gone_on_already(guarded: Any, writers: Writers) -> None:
    connection = guarded.connect()
    connection.send(put(b"Expect: 100-continue\r\n") + BODY[:10])
    writers.say(b"alice")
    assert connection.transport.value() == b""
    connection.send(BODY[10:])
    assert statuses(connection) == [201]


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("status", REFUSALS)
@pytest.mark.parametrize("sent", [0, 10])
def test_refused_before_the_body(guarded: Any, writers: Writers, status: int, sent: int, at_once: bool) -> None:
    if at_once:
        writers.at_once = REFUSALS[status]
    connection = guarded.connect()
    connection.send(put(b"Expect: 100-continue\r\n") + BODY[:sent])
    if not at_once:
        writers.say(REFUSALS[status])
    raw = connection.transport.value()
    assert raw.startswith(b"HTTP/1.1 %d " % status)
    for name, value in REFUSALS[status].headers:
        assert b"\r\n%b: %b\r\n" % (name, value) in raw
    assert connection.transport.half_closed
    assert connection.transport.producerState == "producing"  # to be rid of the rest
    connection.send(BODY[sent:])
    assert connection.transport.value() == raw
    assert guarded.files() == {}


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("request_bytes", [put(size=0), DELETE])
def test_without_a_body_the_connection_goes_on(guarded: Any, writers: Writers, request_bytes: bytes, at_once: bool) -> None:
    """So curl answers a Digest challenge: it sends the head with a length of 0 first."""
    writers.at_once = REFUSALS[401] if at_once else None
    connection = guarded.connect()
    connection.send(request_bytes)
    if not at_once:
        writers.say(REFUSALS[401])
    raw = connection.transport.value()
    assert raw.count(b"WWW-Authenticate: ") == 2
    assert not connection.transport.half_closed
    connection.transport.clear()
    writers.at_once = b"alice"
    connection.send(put() + BODY)
    assert statuses(connection) == [201]


def test_a_small_body_that_is_here_already_costs_no_connection(guarded: Any, writers: Writers) -> None:
    connection = guarded.connect()
    connection.send(put() + BODY)
    writers.say(REFUSALS[401])
    assert statuses(connection) == [401]
    connection.send(put() + BODY)
    writers.say(b"alice")
    assert statuses(connection) == [401, 201]
    assert not connection.transport.half_closed


def test_deleting_needs_a_login_and_reading_does_not(guarded: Any, writers: Writers) -> None:
    (guarded.root / "x").write_bytes(BODY)
    connection = guarded.connect()
    connection.send(GET)
    assert statuses(connection) == [200]
    assert connection.ask("OPTIONS", "/uploads/x")[0] == 204
    assert connection.ask("GET", "/uploads/")[0] == 200
    assert writers.asked == []
    connection.transport.clear()
    connection.send(DELETE)
    assert guarded.files() == {"x": BODY}
    writers.say(b"alice")
    assert statuses(connection) == [204]
    assert guarded.files() == {}


def test_what_is_pipelined_behind_waits_its_turn(guarded: Any, writers: Writers) -> None:
    connection = guarded.connect()
    connection.send(put() + BODY + GET + DELETE)
    assert statuses(connection) == []
    writers.say(b"alice")
    assert statuses(connection) == [201, 200]
    writers.say(b"alice")
    assert statuses(connection) == [201, 200, 204]


def test_the_login_comes_before_every_other_refusal_of_a_writer(guarded: Any, writers: Writers) -> None:
    writers.at_once = REFUSALS[401]
    connection = guarded.connect()
    assert connection.ask("PUT", "/uploads/x", b"", If_Match='"no"')[0] == 401
    writers.at_once = b"alice"
    assert connection.ask("PUT", "/uploads/x", b"", If_Match='"no"')[0] == 412
    assert connection.ask("PUT", "/uploads/", b"x")[0] == 405


def test_the_idle_time_runs_again_after_the_answer(guarded: Any, writers: Writers) -> None:
    connection = guarded.connect()
    connection.send(put())
    connection.clock.advance(1000)
    assert not connection.transport.disconnecting
    writers.say(b"alice")
    connection.clock.advance(59)
    assert not connection.transport.disconnecting
    connection.clock.advance(2)
    assert connection.transport.disconnecting


@pytest.mark.parametrize("sent", [b"", BODY[:5], BODY])
def test_a_client_that_leaves_meanwhile(guarded: Any, writers: Writers, sent: bytes) -> None:
    connection = guarded.connect()
    connection.send(put() + sent)
    with capturedLogs() as events:
        connection.lose()
    assert writers.cancelled == 1
    assert not any("log_failure" in event for event in events)
    assert guarded.files() == {}
    assert guarded.site.intake.under_way == 0


def test_a_fault_of_ours_lets_nobody_in(guarded: Any, writers: Writers) -> None:
    connection = guarded.connect()
    connection.send(put())
    with capturedLogs() as events:
        writers.say(RuntimeError("bug"))
    assert statuses(connection) == [500]
    assert any("log_failure" in event for event in events)
    connection.send(BODY)
    assert guarded.files() == {}


def test_the_log_names_the_user(guarded: Any, writers: Writers) -> None:
    writers.at_once = b"alice"
    with capturedLogs() as events:
        guarded.connect().send(put() + BODY)
    assert [event["user"] for event in events if event["log_namespace"] == "access"] == ["alice"]


def test_how_many_at_a_time_counts_those_that_were_let_in(make_uploads: Callable[..., Any], writers: Writers) -> None:
    service = make_uploads(parallel=1)
    service.site.writers = writers
    first, second = service.connect(), service.connect()
    for connection in (first, second):
        connection.send(put())
    writers.say(b"alice")
    writers.say(b"bob")
    assert statuses(second) == [503]
    first.send(BODY)
    assert statuses(first) == [201]


def test_a_name_that_is_no_utf_8_is_refused(guarded: Any, writers: Writers) -> None:
    writers.at_once = b"\xff"
    for method in ("PUT", "DELETE"):
        status, _, body = guarded.connect().ask(method, "/uploads/x", b"abc" if method == "PUT" else None)
        assert (status, body) == (403, b"A user's name is UTF-8: nothing can be kept under yours.\n")
    assert guarded.connect().ask("POST", "/uploads/", b"", Tus_Resumable="1.0.0", Upload_Length="3")[0] == 403
    assert guarded.files() == {}


@pytest.mark.parametrize("meant", ["PATCH", "DELETE", "HEAD", "delete", "OPTIONS"])
def test_a_method_in_a_header_is_judged_as_what_it_is(guarded: Any, writers: Writers, meant: str) -> None:
    writers.at_once = REFUSALS[403]
    path = "/uploads/.tus/" + "0" * 32
    status, _, _ = guarded.connect().ask("POST", path, b"", X_HTTP_Method_Override=meant, Tus_Resumable="1.0.0")
    assert status == (204 if meant == "OPTIONS" else 403)
    assert [asked.method for asked in writers.asked] == ([] if meant == "OPTIONS" else [meant.upper().encode()])
    guarded.connect().ask("POST", "/uploads/", b"", X_HTTP_Method_Override=meant)
    assert writers.asked[-1].method == b"POST", "nobody but tus looks at it"
