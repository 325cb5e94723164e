"""Heads for the next hop: what goes out, what comes in, and what stays byte for byte."""

import pytest
from portico.core.forwarding import request_fields, response_head
from portico.core.framing import RequestFrame, ResponseFrame, frame_request, frame_response
from portico.core.head import read_head
from portico.core.response import read_response

OURS = b"X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: http\r\n\r\n"


def forwarded(*fields: bytes, scheme: bytes = b"http", client: bytes = b"192.0.2.1") -> bytes:
    head = read_head(b"GET / HTTP/1.1\r\nHost: h\r\n%b\r\n" % b"".join(line + b"\r\n" for line in fields))
    assert head is not None
    frame = frame_request(head)
    assert isinstance(frame, RequestFrame)
    wire = request_fields(head, frame, client, scheme)
    assert wire.startswith(b"Host: h\r\n")
    return wire.removeprefix(b"Host: h\r\n")


def test_other_fields_stay_as_they_are() -> None:
    fields = [b"x-B:  two  blanks\t", b"X-a:", b"Cookie: \xff", b"X-a: again", b"Expect: 100-continue", b"Content-Length: 005"]
    assert forwarded(*fields) == b"".join(field + b"\r\n" for field in fields) + OURS


@pytest.mark.parametrize(
    ("fields", "kept"),
    [
        ([b"Connection: close"], b""),
        ([b"connection: keep-alive", b"Keep-Alive: 5", b"Proxy-Connection: x"], b""),
        ([b"Connection: x-a, X-B", b"X-A: 1", b"x-b: 2", b"X-C: 3"], b"X-C: 3\r\n"),
        ([b"Connection: x-a", b"Connection: x-b", b"X-A: 1", b"x-b: 2"], b""),
        ([b"TE: gzip"], b""),
        ([b"TE: gzip, trailers"], b"TE: trailers\r\nConnection: TE\r\n"),
        ([b"Upgrade: websocket"], b""),
        ([b"Connection: Upgrade", b"Upgrade: WebSocket"], b"Upgrade: WebSocket\r\nConnection: upgrade\r\n"),
        ([b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: x"], b""),
        ([b"HTTP2-Settings: x"], b""),
        ([b"Transfer-Encoding:  Chunked "], b"Transfer-Encoding: chunked\r\n"),
        ([b"X-Forwarded-Proto: https", b"X_Forwarded_Proto: https", b"X-Forwarded_For: 1", b"x_forwarded_for: 1"], b""),
    ],
)
def test_what_was_for_this_hop_goes_out(fields: list[bytes], kept: bytes) -> None:
    assert forwarded(*fields) == kept + OURS


def test_the_clients_address_comes_last() -> None:
    assert forwarded(b"X-Forwarded-For: 1.1.1.1 ", b"x-forwarded-for: 2.2.2.2").startswith(
        b"X-Forwarded-For: 1.1.1.1, 2.2.2.2, 192.0.2.1\r\n"
    )
    assert forwarded(b"Connection: X-Forwarded-For", b"X-Forwarded-For: 1.1.1.1") == OURS
    assert forwarded(scheme=b"https", client=b"::1") == b"X-Forwarded-For: ::1\r\nX-Forwarded-Proto: https\r\n\r\n"


def answer(wire: bytes, close: bool = False) -> bytes:
    head = read_response(wire)
    assert head is not None
    frame = frame_response(head, b"GET", False)
    assert isinstance(frame, ResponseFrame)
    return response_head(wire + b"body", head, frame, close)


def test_a_response_without_hop_fields_stays_as_it_is() -> None:
    wire = b"HTTP/1.1 200  odd reason\r\nx:y\r\nTransfer-Encoding:Chunked\r\n\r\n"
    assert answer(wire) == wire


@pytest.mark.parametrize(
    ("wire", "close", "expected"),
    [
        (b"200 OK\r\nX: y\r\n", True, b"200 OK\r\nX: y\r\nConnection: close\r\n"),
        (b"200\r\nX: y\r\nconnection: close\r\n", False, b"200\r\nX: y\r\n"),
        (b"200 OK\r\nKeep-Alive: 5\r\nX: y\r\nProxy-Connection: x\r\n", False, b"200 OK\r\nX: y\r\n"),
        (b"200 OK\r\nConnection: x-a\r\nX-A: 1\r\nX-B: 2\r\n", False, b"200 OK\r\nX-B: 2\r\n"),
        (b"200 OK\r\nUpgrade: h2c\r\nConnection: upgrade\r\n", False, b"200 OK\r\n"),
        (
            b"426 X\r\nUpgrade: websocket\r\nConnection: upgrade\r\n",
            False,
            b"426 X\r\nUpgrade: websocket\r\nConnection: upgrade\r\n",
        ),
        (b"426 X\r\nUpgrade: a\r\nConnection: close\r\n", True, b"426 X\r\nUpgrade: a\r\nConnection: upgrade, close\r\n"),
    ],
)
def test_a_response_loses_what_was_for_its_hop(wire: bytes, close: bool, expected: bytes) -> None:
    assert answer(b"HTTP/1.1 " + wire + b"\r\n", close) == b"HTTP/1.1 " + expected + b"\r\n"


def test_the_version_is_ours() -> None:
    assert answer(b"HTTP/1.0 200 OK\r\nX: y\r\n\r\n") == b"HTTP/1.1 200 OK\r\nX: y\r\n\r\n"
