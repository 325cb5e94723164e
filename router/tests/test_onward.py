"""A client's requests on their way to the server: what is kept from one to the next never changes what is decided."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from portico.core.answers import BAD_FRAMING, BAD_HOST, Answer
from portico.core.head import read_head
from portico.core.onward import REQUEST_KEPT, REQUESTS_KEPT, Onward, Request

FORWARDED = b"X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: http\r\n"
FIRST = b"GET /a HTTP/1.1\r\nHost: h\r\nX: y\r\n\r\n"


def made(onward: Onward, wire: bytes) -> Request:
    head = onward.head(wire)
    assert head is not None
    request = onward.make(head, wire)
    assert isinstance(request, Request)
    return request


@pytest.fixture
def onward() -> Onward:
    """One that has seen FIRST."""
    onward = Onward("192.0.2.1", False)
    made(onward, FIRST)
    return onward


def test_a_request_without_a_body(onward: Onward) -> None:
    request = made(onward, FIRST)
    assert request.wire == FIRST[:-2] + FORWARDED + b"\r\n"
    assert (request.body, request.end, request.last, request.repeatable, request.special) == (
        None,
        len(FIRST),
        False,
        True,
        False,
    )


def test_only_the_request_line_changes(onward: Onward) -> None:
    wire = FIRST.replace(b"/a", b"/other?x")
    request = made(onward, wire)
    assert request.head == read_head(wire)
    assert request.wire.startswith(b"GET /other?x HTTP/1.1\r\nHost: h\r\nX: y\r\n" + FORWARDED)


@pytest.mark.parametrize(
    "wire",
    [
        FIRST + b"GET /b HTTP/1.1\r\nHost: h\r\n\r\n",
        b"\r\n" + FIRST,
        FIRST.replace(b"GET", b"HEAD"),
        FIRST.replace(b"1.1", b"1.0"),
        FIRST.replace(b"1.1", b"1.9"),
        FIRST.replace(b"1.1", b"2.0"),
        FIRST.replace(b"/a", b""),
        FIRST.replace(b" /a", b"  /a"),
        FIRST.replace(b"X: y", b"X : y"),
        FIRST.replace(b"X: y", b"X: z"),
        FIRST.replace(b"/a HTTP/1.1\r\n", b"/a HTTP/1.1\n"),
        FIRST[:-1] + b"\r",
        FIRST[:-2] + b"xx",
        FIRST[:-2] + b"A: b\r\n\r\n",
        FIRST[:-4] + b"\n\r\n",
    ],
)
def test_what_was_kept_changes_no_head(onward: Onward, wire: bytes) -> None:
    assert onward.head(wire) == read_head(wire)


def test_a_head_that_is_not_whole(onward: Onward) -> None:
    for end in range(len(FIRST)):
        assert onward.head(FIRST[:end]) is None


@given(st.binary(max_size=12), st.integers(0, len(FIRST)), st.integers(0, 12))
def test_no_change_of_the_bytes_is_missed(new: bytes, at: int, less: int) -> None:
    onward = Onward("192.0.2.1", False)
    made(onward, FIRST)
    wire = FIRST[:at] + new + FIRST[at + less :]
    assert onward.head(wire) == read_head(wire)


@pytest.mark.parametrize(
    ("wire", "answer"),
    [
        (b"GET /a HTTP/1.1\r\n\r\n", BAD_HOST),
        (b"GET http://other/ HTTP/1.1\r\nHost: h\r\nX: y\r\n\r\n", BAD_HOST),
        (b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", BAD_FRAMING),
        (b"POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nno size", BAD_FRAMING),
        (b"CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\nContent-Length: 1\r\n\r\n", BAD_FRAMING),
    ],
)
def test_what_is_refused(onward: Onward, wire: bytes, answer: Answer) -> None:
    head = onward.head(wire)
    assert head is not None
    assert onward.make(head, wire) is answer
    made(onward, FIRST)


def test_a_body_that_is_there_in_part(onward: Onward) -> None:
    wire = b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbo"
    request = made(onward, wire)
    assert request.wire.endswith(b"\r\n\r\nbo")
    assert (request.end, request.repeatable) == (len(wire), False)
    assert request.body is not None
    assert request.body.bulk == 2


def test_a_whole_body_and_what_follows(onward: Onward) -> None:
    wire = b"PUT /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nbo\r\n0\r\n\r\n"
    request = made(onward, wire + FIRST)
    assert (request.body, request.end, request.repeatable) == (None, len(wire), True)
    assert request.wire.endswith(b"2\r\nbo\r\n0\r\n\r\n")


def test_the_last_request(onward: Onward) -> None:
    assert made(onward, b"HEAD /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").last
    assert made(onward, b"HEAD /a HTTP/1.0\r\n\r\n").last
    assert not made(onward, FIRST).last


def test_by_tls() -> None:
    assert b"X-Forwarded-Proto: https\r\n" in made(Onward("::1", True), FIRST).wire


def test_the_last_few_requests_are_known_again(onward: Onward) -> None:
    assert onward.known(FIRST) is None  # it was the first
    requests = [FIRST.replace(b"/a", b"/%d" % number) for number in range(REQUESTS_KEPT + 1)]
    known = [made(onward, wire) for wire in requests[:-1]]
    assert [onward.known(wire) for wire in requests[:-1]] == known
    made(onward, requests[-1])  # one too many
    assert [onward.known(wire) is not None for wire in requests] == [False] * REQUESTS_KEPT + [True]


def test_what_has_a_body_or_is_long_is_not() -> None:
    onward = Onward("192.0.2.1", False)
    made(onward, FIRST)
    body = FIRST.replace(b"X: y", b"Content-Length: 1") + b"b"
    long = FIRST.replace(b"X: y", b"X: " + b"y" * REQUEST_KEPT)
    for wire in (body, long):
        made(onward, wire)
        assert onward.known(wire) is None
