"""GuardedSite in memory: what is ours is answered, what is not goes back byte for byte."""

from typing import Any, cast

import pytest
from svckit.paths import normalise
from svckit.refusals import MISDIRECTED, TOO_LARGE
from svckit.strictheads import HEAD_SIZE
from svckit.web import GuardedChannel, GuardedRequest
from twisted.internet.error import ConnectionLost
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from twisted.python.failure import Failure
from web_support import Table, get, pieces, put, put_chunked

# -- the guard


@pieces
def test_own_requests_are_answered_one_after_the_other(cut: Any) -> None:
    table = Table().feed(cut(get("/a/1") + get("/a/2?x=/b/") + put("/a/3", b"body")))
    assert table.answers == [(200, b"</a/1>"), (200, b"</a/2>"), (200, b"</a/3>")]
    assert table.handed_back == []
    assert not table.transport.disconnecting


@pieces
@pytest.mark.parametrize("foreign", [get("/b/x"), put("/b/x", b"12\r\n\r\n34"), put_chunked("/b/", b"one", b"two")])
def test_a_foreign_request_goes_back_byte_for_byte(cut: Any, foreign: bytes) -> None:
    table = Table().feed(cut(get("/a/1") + foreign + get("/a/after")))
    assert table.paths == [b"/a/1"]
    assert len(table.handed_back) == 1
    assert table.handed_back[0] + table.later == foreign + get("/a/after")
    assert table.answers == [(200, b"</a/1>")]
    assert not table.transport.disconnecting


def test_it_goes_back_as_soon_as_its_request_line_is_there() -> None:
    table = Table().feed([get("/a/1"), b"GET /b/x HTTP/1.1\r"])
    assert table.handed_back == []
    table.feed([b"\nHo"])
    assert table.handed_back == [b"GET /b/x HTTP/1.1\r\nHo"]


def test_what_still_comes_to_the_channel_after_that_is_not_parsed() -> None:
    table = Table().feed([get("/a/1"), get("/b/x")])
    table.channel.dataReceived(get("/a/2"))
    assert table.paths == [b"/a/1"]
    assert len(table.handed_back) == 1


@pieces
def test_bodies_before_a_foreign_request_are_intact(cut: Any) -> None:
    body = b"GET /b/x HTTP/1.1\r\nHost: inside the body\r\n\r\n"
    data = put("/a/1", body) + put_chunked("/a/2", body, b"more") + put("/a/3", b"") + get("/b/x")
    table = Table().feed(cut(data))
    assert table.root.seen == [(b"PUT", b"/a/1", body), (b"PUT", b"/a/2", body + b"more"), (b"PUT", b"/a/3", b"")]
    assert table.handed_back[0] + table.later == get("/b/x")


@pieces
def test_the_first_request_is_never_asked_about(cut: Any) -> None:
    table = Table().feed(cut(get("/b/x") + get("/a/1")))
    assert table.answers == [(200, b"</b/x>"), (200, b"</a/1>")]
    assert table.handed_back == []


def test_nor_is_it_after_an_empty_line() -> None:
    table = Table().feed([b"\r\n" + get("/b/x")])
    assert table.paths == [b"/b/x"]


def test_an_empty_line_between_requests_counts_for_nothing() -> None:
    table = Table().feed([get("/a/1") + b"\r\n" + get("/a/2") + b"\r\n" + get("/b/x")])
    assert table.paths == [b"/a/1", b"/a/2"]
    assert table.handed_back == [get("/b/x")]


@pieces
def test_where_it_cannot_go_back_the_client_gets_421(cut: Any) -> None:
    table = Table(returnable=False).feed(cut(get("/a/1") + get("/b/x") + get("/a/2")))
    assert table.paths == [b"/a/1"]
    assert table.answers == [(200, b"</a/1>"), (421, b"")]
    assert table.transport.value().endswith(MISDIRECTED)
    assert table.transport.disconnecting


def test_without_a_lease_everything_is_ours() -> None:
    table = Table(leased=False).feed([get("/a/1") + get("/b/x")])
    assert table.paths == [b"/a/1", b"/b/x"]


@pytest.mark.parametrize(
    ("target", "foreign"),
    [
        ("/a/inner/x", True),
        ("/a/inner", True),
        ("/a/innermost", False),
        ("/a", False),
        ("/nobodys", True),
        ("/", True),
        ("*", True),
        ("/b/../a/x", False),
        ("/a/../b/x", True),
        ("/%61/x", False),
        ("/a/%69nner/x", True),
        ("//a//x", False),
        ("http://example.org/a/x", False),
        ("http://example.org/b/x", True),
        ("/a/%2e%2e/b/x", True),
    ],
)
def test_whose_a_target_is(target: str, foreign: bool) -> None:
    table = Table().feed([get("/a/1") + get(target)])
    assert table.handed_back == ([get(target)] if foreign else [])
    assert len(table.root.seen) == (1 if foreign else 2)


def test_the_guard_follows_the_routes() -> None:
    table = Table().feed([get("/a/1") + get("/a/2")])
    table.ownership.update((("/a/", False), ("/b/", True)))
    table.feed([get("/b/3") + get("/a/4")])
    assert table.paths == [b"/a/1", b"/a/2", b"/b/3"]
    assert table.handed_back == [get("/a/4")]


@pieces
@pytest.mark.parametrize("last", [get("/a/1", version="1.0"), get("/a/1", "Connection: close")])
def test_after_a_last_request_nothing_is_read(cut: Any, last: bytes) -> None:
    table = Table().feed(cut(last + get("/b/x")))
    assert table.paths == [b"/a/1"]
    assert table.handed_back == []
    assert table.transport.disconnecting


@pytest.mark.parametrize(
    "line", [b"GET  /b/x HTTP/1.1", b"GET /b/x", b"GET\t/b/x\tHTTP/1.1", b"GET /b/x HTTP/3.0 x", b"nonsense"]
)
def test_a_malformed_request_line_gets_its_400_here(line: bytes) -> None:
    table = Table().feed([get("/a/1") + line + b"\r\n\r\n"])
    assert [status for status, _ in table.answers] == [200, 400]
    assert table.handed_back == []
    assert table.transport.disconnecting


@pieces
@pytest.mark.parametrize("end", [b"", b"\r\n\r\n"])
def test_a_line_that_is_too_long_is_431(cut: Any, end: bytes) -> None:
    head = b"GET /a/2 HTTP/1.1\r\nX-Long: "
    for line in (head + b"x" * (GuardedChannel.MAX_LENGTH + 2), b"GET /a/" + b"x" * (GuardedChannel.MAX_LENGTH + 2)):
        table = Table().feed(cut(get("/a/1") + line + end))
        assert table.answers == [(200, b"</a/1>"), (431, b"")]
        assert table.transport.value().endswith(TOO_LARGE)
        assert table.transport.disconnecting
        assert table.paths == [b"/a/1"]


def test_a_line_of_the_limit_and_a_head_over_it() -> None:
    start = b"GET /a/1 HTTP/1.1\r\nHost: x\r\nX-Long: ".ljust(HEAD_SIZE // 2, b"x") + b"\r\n"
    whole, over = (start + b"X-Long: ".ljust(HEAD_SIZE - len(start) - end, b"x") + b"\r\n\r\n" for end in (4, 3))
    assert (len(whole), len(over)) == (HEAD_SIZE, HEAD_SIZE + 1)
    for before in (b"", get("/a/1")):
        assert [status for status, _ in Table().feed([before + whole]).answers][-1] == 200
        table = Table().feed([before + over])
        assert table.transport.value().endswith(TOO_LARGE)
        assert table.transport.disconnecting


# -- requests


@pytest.mark.parametrize("target", ["/../x", "/a/%zz", "/a/%4", "/a%00", "/a/../../x", "example.org:443", "/a#b"])
def test_a_target_without_meaning_is_answered_here(target: str) -> None:
    for table in (Table().feed([get(target)]), Table().feed([get("/a/1") + get(target)])):
        status, body = table.answers[-1]
        assert status == 400
        assert body.startswith(b"Bad request: ")
        assert table.handed_back == []
        assert target.encode() not in body
        table.feed([get("/a/next")])
        assert table.answers[-1] == (200, b"</a/next>")


def test_a_bad_target_of_head_has_no_body() -> None:
    table = Table().feed([get("/../x").replace(b"GET", b"HEAD")])
    assert table.transport.value().startswith(b"HTTP/1.1 400 ")
    assert b"Bad request:" not in table.transport.value()


@pytest.mark.parametrize("target", ["/a/b", "/a//b/", "/a/./b", "/%61/b%2fc", "/a/%25", "http://example.org/a?x#", "/a/?q"])
def test_the_resource_sees_the_path_that_the_router_saw(target: str) -> None:
    if "#" in target:
        target = target[:-1]
    table = Table().feed([get(target)])
    assert table.paths == [normalise(target.encode())]


def test_a_form_is_not_read_into_memory() -> None:
    form = b"--x\r\nContent-Disposition: form-data; name=f\r\n\r\nv\r\n--x--\r\n"
    head = b"POST /a/form HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: %d\r\n\r\n"
    table = Table().feed([head % len(form) + form])
    assert table.root.seen == [(b"POST", b"/a/form", form)]


def test_a_request_class_of_the_services_own() -> None:
    class Own(GuardedRequest):
        pass

    table = Table(requestFactory=Own).feed([get("/a/slow")])
    assert isinstance(table.root.slow[0], Own)


# -- the access event


def logged(table: Table, data: bytes) -> list[LogEvent]:
    events: list[LogEvent] = []
    observer = cast(ILogObserver, events.append)
    globalLogPublisher.addObserver(observer)
    try:
        table.feed([data])
        table.clock.advance(0.25)
        for request in table.root.slow:
            request.write(b"slowly")
            request.finish()
    finally:
        globalLogPublisher.removeObserver(observer)
    return [event for event in events if event.get("log_namespace") == "access"]


def test_each_request_is_one_event() -> None:
    events = logged(Table(), get("/a/1?q=1") + put("/a/who", b"x") + get("/../x") + get("/a/slow") + get("/b/x"))
    names = ("client", "method", "uri", "status", "sent", "user", "ms")
    assert [tuple(event[name] for name in names) for event in events] == [
        ("203.0.113.7", "GET", "/a/1?q=1", 200, 6, None, 0.0),
        ("203.0.113.7", "PUT", "/a/who", 200, 8, "jörg", 0.0),
        ("203.0.113.7", "GET", "/../x", 400, len(b"Bad request: the path climbs above the root\n"), None, 0.0),
        ("203.0.113.7", "GET", "/a/slow", 200, 6, None, 250.0),
    ]


def test_a_client_that_goes_ends_its_request() -> None:
    table = Table().feed([get("/a/slow")])
    gone: list[Failure] = []
    table.root.slow[0].notifyFinish().addErrback(gone.append)
    table.channel.connectionLost(Failure(ConnectionLost()))
    assert gone[0].check(ConnectionLost)
