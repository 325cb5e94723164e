"""GuardedSite in memory: the heads after the first, and what a client sends before its turn or after its end."""

from typing import Any

import pytest
from svckit.channel import HEAD_DEADLINE
from svckit.strictheads import MOST_FIELDS
from web_support import Table, get, pieces, put

# -- while an answer is under way


@pieces
def test_what_is_pipelined_waits_for_the_answer_before(cut: Any) -> None:
    table = Table().feed(cut(get("/a/slow") + get("/a/2") + get("/b/x") + get("/a/3")))
    assert table.paths == [b"/a/slow"]
    assert table.handed_back == []
    table.root.slow[0].write(b"at last")
    assert table.handed_back == []
    table.root.slow[0].finish()
    assert table.answers == [(200, b"at last"), (200, b"</a/2>")]
    assert table.handed_back == [get("/b/x") + get("/a/3")]


def test_a_client_that_pipelines_without_end_is_not_read() -> None:
    table = Table().feed([get("/a/slow")])
    fed = 0
    while table.transport.producerState == "producing":
        table.feed([get("/b/x") * 20])
        fed += 1
    assert fed * len(get("/b/x") * 20) < 20_000
    table.root.slow[0].finish()
    assert table.handed_back == [get("/b/x") * 20 * fed]


# -- heads after the first, read as strictly as the router reads the first one


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /a/2 HTTP/1.1\r\nA: b\r\n folded\r\n\r\n", 400),
        (b"GET /a/2 HTTP/1.1\r\nA : b\r\n\r\n", 400),
        (b"GET /a/2 HTTP/1.1\r\nA: \x01\r\n\r\n", 400),
        (b"GET /a/2 HTTP/1.1\r\nA: b\nB: c\r\n\r\n", 400),
        (b"GET  /a/2 HTTP/1.1\r\n\r\n", 400),
        (b"GET /a/2\r\n\r\n", 400),
        (b"GET /a/2 HTTP/2.0\r\n\r\n", 505),
        (b"GET /a/2 HTTP/1.2\r\n\r\n", 505),
        (b"GET /a/2 HTTP/1.1\r\nX-Host: h\r\n\r\n", 400),
        (b"GET /a/2 HTTP/1.1\r\nHost: h\r\nHOST: h\r\n\r\n", 400),
        (b"GET /a/2 HTTP/1.0\r\nHost: h\r\nA: b\r\nhost:\r\n\r\n", 400),
        (b"GET /a/2 HTTP/1.1\r\nHost: h h\r\n\r\n", 400),
        (b"PUT /a/2 HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"GET /a/2 HTTP/1.1\r\nHost: h\r\n" + b"A: b\r\n" * MOST_FIELDS, 431),
    ],
)
@pytest.mark.parametrize("step", [1, 1000])
def test_an_unsound_second_head_ends_the_connection(head: bytes, status: int, step: int) -> None:
    table = Table().feed([get("/a/1")]).feed(head[at : at + step] for at in range(0, len(head), step))
    assert [found for found, _ in table.answers] == [200, status]
    assert table.transport.disconnecting
    assert [path for _, path, _ in table.root.seen] == [b"/a/1"]


@pytest.mark.parametrize(
    "head",
    [
        b"GET /a/2 HTTP/1.0\r\n\r\n",
        b"GET /a/2 HTTP/1.1\r\nHost:\r\n\r\n",
        b"GET /a/2 HTTP/1.1\r\nhost:  [::1]:80 \r\n\r\n",
        b"GET /a/2 HTTP/1.1\r\nHost: h\r\n" + b"A: b\r\n" * (MOST_FIELDS - 1) + b"\r\n",
    ],
)
@pytest.mark.parametrize("step", [1, 10_000])
def test_a_sound_second_head_is_answered(head: bytes, step: int) -> None:
    table = Table().feed([get("/a/1")]).feed(head[at : at + step] for at in range(0, len(head), step))
    assert [found for found, _ in table.answers] == [200, 200]


def test_the_first_head_is_the_routers_to_judge() -> None:
    for fields in (MOST_FIELDS + 1, 1000):
        table = Table().feed([b"GET /a/1 HTTP/1.1\r\n" + b"A: b\r\n" * fields + b"\r\n"])
        assert [found for found, _ in table.answers] == [200]


def test_fields_are_counted_for_each_request() -> None:
    head = b"GET /a/2 HTTP/1.1\r\nHost: h\r\n" + b"A: b\r\n" * (MOST_FIELDS - 1) + b"\r\n"
    assert [found for found, _ in Table().feed([get("/a/1"), head, head]).answers] == [200, 200, 200]


def test_a_head_has_a_deadline_however_it_trickles() -> None:
    table = Table().feed([get("/a/1")])
    head = get("/a/2")
    for second in range(int(HEAD_DEADLINE)):
        assert not table.transport.disconnecting
        table.feed([head[second : second + 1]])
        table.clock.advance(1)
    assert [found for found, _ in table.answers] == [200, 408]
    assert table.transport.disconnecting
    assert not table.handed_back


def test_a_slow_body_is_no_late_head() -> None:
    table = Table().feed([put("/a/1", b"body")[:-1]])
    table.clock.advance(HEAD_DEADLINE + 1)
    table.feed([b"y"])
    assert table.answers == [(200, b"</a/1>")]
    assert not [call for call in table.clock.getDelayedCalls() if call.getTime() - table.clock.seconds() == HEAD_DEADLINE]


# -- a client that has ended its side


def test_a_half_closed_client_gets_its_answers() -> None:
    table = Table().feed([get("/a/slow") + get("/a/2")])
    table.channel.readConnectionLost()
    assert not table.transport.disconnecting
    table.root.slow[0].finish()
    assert [body for _, body in table.answers][-1] == b"</a/2>"
    assert table.transport.disconnecting


@pytest.mark.parametrize("data", [b"", get("/a/1"), get("/a/1") + b"GET /a/2", put("/a/1", b"body")[:-1]])
def test_a_half_closed_client_without_a_whole_request_is_let_go(data: bytes) -> None:
    table = Table().feed([data] if data else [])
    table.channel.readConnectionLost()
    assert table.transport.disconnecting


# -- what waits here while a request is answered stays small


@pytest.mark.parametrize("first", [get("/a/slow"), put("/a/slow", b"body")])
def test_nothing_is_read_while_more_requests_wait(first: bytes) -> None:
    table = Table().feed([first + get("/b/other") * 100])
    assert table.transport.producerState == "paused"
    table.root.slow[0].finish()
    assert table.handed_back == [get("/b/other") * 100]


def test_without_more_requests_the_end_of_the_client_is_still_noticed() -> None:
    table = Table().feed([get("/a/slow")])
    assert table.transport.producerState == "producing"


@pytest.mark.parametrize("step", [1, 1000])
@pytest.mark.parametrize(
    "fields", [b"Transfer-Encoding: chunked", b"transfer-encoding:identity", b"A: b\r\nTRANSFER-ENCODING:\t"]
)
def test_a_first_request_of_http_1_0_that_is_chunked(fields: bytes, step: int) -> None:
    data = b"PUT /a/1 HTTP/1.0\r\nContent-Length: 5\r\n" + fields + b"\r\n\r\n0\r\n\r\n" + get("/a/2")
    table = Table().feed(data[at : at + step] for at in range(0, len(data), step))
    assert [found for found, _ in table.answers] == [400] and table.root.seen == []
    assert table.transport.disconnecting


def test_http_1_0_with_a_length_is_sound() -> None:
    table = Table().feed([b"PUT /a/1 HTTP/1.0\r\nContent-Length: 2\r\nX-Transfer-Encoding: chunked\r\n\r\nhi"])
    assert table.root.seen == [(b"PUT", b"/a/1", b"hi")]
