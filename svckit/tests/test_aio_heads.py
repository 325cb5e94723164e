"""Where messages end: heads, bodies and exchanges, whole, byte by byte, and with trailing bytes."""

import pytest
from svckit.handoff.aio.body import CHUNKED, LINE, TRAILER, UNTIL_CLOSE, BadFraming, Body
from svckit.handoff.aio.exchange import RESPONSE_HEAD, Exchange
from svckit.handoff.aio.heads import MOST_FIELDS, TUNNEL, Request, Response, read_request, read_response
from svckit.refusals import BAD_REQUEST, BAD_VERSION, TOO_LARGE


def head(*lines: str) -> bytes:
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode("latin-1")


# -- requests


@pytest.mark.parametrize(
    ("lines", "length", "persistent"),
    [
        (["GET /a HTTP/1.1"], 0, True),
        (["GET /a HTTP/1.1", "Host: x", "Connection: close"], 0, False),
        (["GET /a HTTP/1.1", "connection: Keep-Alive, CLOSE"], 0, False),
        (["GET /a HTTP/1.0"], 0, False),
        (["GET /a HTTP/1.0", "Connection: keep-alive"], 0, True),
        (["POST /a HTTP/1.1", "Content-Length: 17"], 17, True),
        (["POST /a HTTP/1.1", "Content-Length:17 "], 17, True),
        (["POST /a HTTP/1.1", "Transfer-Encoding: Chunked"], CHUNKED, True),
    ],
)
def test_a_request_says_how_it_ends(lines: list[str], length: int, persistent: bool) -> None:
    assert read_request(head(*lines), first=True) == Request(lines[0].split()[0].encode(), b"/a", length, persistent)


@pytest.mark.parametrize(
    "lines",
    [
        ["GET  /a HTTP/1.1"],
        ["GET /a"],
        ["GET /a HTTP/1.1 "],
        ["GET /a HTTP/1.1", "Host : x"],
        ["GET /a HTTP/1.1", "Host: x", " folded"],
        ["GET /a HTTP/1.1", "Host: x\ny: z"],
        ["GET /a HTTP/1.1", "x: \0"],
        ["POST /a HTTP/1.1", "Content-Length: 1", "Content-Length: 1"],
        ["POST /a HTTP/1.1", "Content-Length: +1"],
        ["POST /a HTTP/1.1", "Content-Length: "],
        ["POST /a HTTP/1.1", "Content-Length: 1", "Transfer-Encoding: chunked"],
        ["POST /a HTTP/1.1", "Transfer-Encoding: gzip, chunked"],
        ["POST /a HTTP/1.1", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked"],
        ["POST /a HTTP/1.0", "Transfer-Encoding: chunked"],
    ],
)
def test_a_request_that_can_be_read_in_two_ways_is_refused(lines: list[str]) -> None:
    assert read_request(head(*lines), first=True) == BAD_REQUEST


def test_another_version_is_refused() -> None:
    assert read_request(head("PRI * HTTP/2.0")) == BAD_VERSION


@pytest.mark.parametrize(
    ("lines", "refused"),
    [
        (["GET /a HTTP/1.1", "Host: x"], None),
        (["GET /a HTTP/1.0"], None),
        (["GET /a HTTP/1.1"], BAD_REQUEST),
        (["GET /a HTTP/1.1", "Host: x", "hOST: x"], BAD_REQUEST),
        (["GET /a HTTP/1.1", "Host: x/y"], BAD_REQUEST),
        (["GET /a HTTP/1.1", "Host: x", *["a: b"] * (MOST_FIELDS - 1)], None),
        (["GET /a HTTP/1.1", "Host: x", *["a: b"] * MOST_FIELDS], TOO_LARGE),
    ],
)
def test_later_requests_are_asked_for_what_the_router_asks_the_first(lines: list[str], refused: bytes | None) -> None:
    assert isinstance(read_request(head(*lines), first=True), Request)
    found = read_request(head(*lines))
    assert found == refused or (refused is None and isinstance(found, Request))


# -- responses


@pytest.mark.parametrize(
    ("lines", "method", "expected"),
    [
        (["HTTP/1.1 200 OK", "Content-Length: 3"], b"GET", Response(200, 3, True)),
        (["HTTP/1.1 200 OK", "content-length: 3", "connection: close"], b"GET", Response(200, 3, False)),
        (["HTTP/1.1 200 ", "Transfer-Encoding: chunked"], b"GET", Response(200, CHUNKED, True)),
        (["HTTP/1.1 200 OK", "Content-Length: 3"], b"HEAD", Response(200, 0, True)),
        (["HTTP/1.1 204 No Content"], b"GET", Response(204, 0, True)),
        (["HTTP/1.1 304 Not Modified", "Content-Length: 9"], b"GET", Response(304, 0, True)),
        (["HTTP/1.1 100 Continue"], b"POST", Response(100, 0, True)),
        (["HTTP/1.1 101 Switching Protocols"], b"GET", Response(101, TUNNEL, False)),
        (["HTTP/1.1 200 OK"], b"CONNECT", Response(200, TUNNEL, False)),
        (["HTTP/1.1 200 OK"], b"GET", Response(200, UNTIL_CLOSE, False)),
        (["HTTP/1.0 200 OK", "Content-Length: 3"], b"GET", Response(200, 3, False)),
        (["HTTP/1.0 200 OK", "Content-Length: 3", "Connection: keep-alive"], b"GET", Response(200, 3, True)),
    ],
)
def test_a_response_says_how_it_ends(lines: list[str], method: bytes, expected: Response) -> None:
    assert read_response(head(*lines), method) == expected


@pytest.mark.parametrize("lines", [["nonsense"], ["HTTP/1.1 200 OK", "Content-Length: x"]])
def test_a_response_without_a_certain_end_is_told(lines: list[str]) -> None:
    with pytest.raises(BadFraming):
        read_response(head(*lines), b"GET")


# -- bodies

BODIES = [
    (0, b""),
    (5, b"hello"),
    (CHUNKED, b"0\r\n\r\n"),
    (CHUNKED, b"5\r\nhello\r\n0\r\n\r\n"),
    (CHUNKED, b"5;a=b\r\nhello\r\nA\r\n0\r\n\r\n56789\r\n000\r\nx: y\r\nz:\r\n\r\n"),
]


@pytest.mark.parametrize(("length", "body"), BODIES)
@pytest.mark.parametrize("step", [1, 2, 3, 1000])
@pytest.mark.parametrize("trailing", [b"", b"GET / HTTP/1.1\r\n\r\n"])
def test_a_body_ends_where_it_ends(length: int, body: bytes, step: int, trailing: bytes) -> None:
    followed, taken, data = Body(length), 0, body + trailing
    for at in range(0, len(data), step):
        piece = data[at : at + step]
        count = followed.take(b"#" + piece, 1)
        taken += count
        if count < len(piece):
            break
    assert (taken, followed.complete) == (len(body), True)


def test_a_body_without_a_length_never_ends() -> None:
    body = Body(UNTIL_CLOSE)
    assert body.take(b"x" * 1000) == 1000
    assert not body.complete


@pytest.mark.parametrize("step", [1, 1000])
@pytest.mark.parametrize(
    "data",
    [
        b"x\r\n",
        b"\r\n",
        b"5\n",
        b"5 \r\n",
        b"0x5\r\n",
        b"-5\r\n",
        b"1234567890abcdef\r\n",
        b"5\r\nhelloX\r\n",
        b"5\r\nhello\n",
        b"0\r\nno field\r\n",
        b"5;" + b"x" * LINE,
        b"0\r\n" + b"a: b\r\n" * (TRAILER // 6 + 1),
    ],
)
def test_broken_chunks_are_found(data: bytes, step: int) -> None:
    body = Body(CHUNKED)
    with pytest.raises(BadFraming):
        for at in range(0, len(data), step):
            body.take(data[at : at + step])


# -- exchanges


def exchange(method: str = "GET", *fields: str) -> Exchange:
    request = read_request(head(f"{method} /a HTTP/1.1", "Host: x", *fields))
    assert isinstance(request, Request)
    return Exchange(request)


ANSWER = (
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nx: y\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
)


@pytest.mark.parametrize("step", [1, 7, 1000])
def test_an_exchange_is_over_with_its_final_answer(step: int) -> None:
    followed = exchange()
    for at in range(0, len(ANSWER), step):
        assert not followed.complete
        followed.sent(ANSWER[at : at + step])
    assert followed.complete
    assert followed.answered
    assert not followed.last


def test_an_early_answer_waits_for_the_rest_of_the_request() -> None:
    followed = exchange("POST", "Content-Length: 3")
    followed.sent(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
    assert (followed.answered, followed.complete) == (True, False)
    assert followed.request.take(b"abcd") == 3
    assert followed.complete


def test_either_side_can_make_it_the_last() -> None:
    assert exchange("GET", "Connection: close").last
    followed = exchange()
    followed.sent(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    assert followed.last


def test_another_protocol_is_not_followed() -> None:
    followed = exchange("GET", "Upgrade: x")
    followed.sent(b"HTTP/1.1 101 Switching Protocols\r\n\r\n\x01\x02")
    followed.sent(b"\r\n\r\n")
    assert followed.tunnel
    assert not followed.complete


def test_what_a_server_must_not_say_is_told() -> None:
    with pytest.raises(BadFraming):
        exchange().sent(ANSWER + b"more")
    with pytest.raises(BadFraming):
        exchange().sent(b"x" * (RESPONSE_HEAD + 1))
    followed = exchange()
    followed.lose_track()
    followed.sent(b"whatever it is")
    assert followed.last
    assert not followed.complete
