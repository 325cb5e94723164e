"""Where requests end, by what their heads say: the table of sound and refused framing."""

import pytest
from portico.core.answers import BAD_FRAMING, BAD_HOST, BAD_RESPONSE
from portico.core.body import CHUNKED
from portico.core.framing import RequestFrame, frame_request, frame_response, host_agrees
from portico.core.head import Head, read_head

from .support.framing import response


def request(*fields: bytes, method: bytes = b"POST", version: bytes = b"1.1", host: bytes = b"Host: h") -> Head:
    lines = [host, *fields] if host else list(fields)
    head = read_head(b"%b / HTTP/%b\r\n%b\r\n" % (method, version, b"".join(line + b"\r\n" for line in lines)))
    assert head is not None
    return head


REQUEST_LENGTHS: list[tuple[tuple[bytes, ...], int]] = [
    ((), 0),
    ((b"Content-Length: 0",), 0),
    ((b"Content-Length: 5",), 5),
    ((b"content-length: 5",), 5),
    ((b"CONTENT-LENGTH:5",), 5),
    ((b"Content-Length:\t5\t ",), 5),
    ((b"Content-Length: 005",), 5),
    ((b"Content-Length: 999999999999999999",), 999_999_999_999_999_999),
    ((b"Transfer-Encoding: chunked",), CHUNKED),
    ((b"Transfer-Encoding:chunked",), CHUNKED),
    ((b"transfer-encoding: Chunked",), CHUNKED),
    ((b"Transfer-Encoding: \t chunked \t",), CHUNKED),
    ((b"Transfer-Encoding: chunked", b"Trailer: X-Sum"), CHUNKED),
    ((b"X-Content-Length: 9", b"Content-Length: 3"), 3),
    ((b"Content-Length-X: 9", b"Content-Length: 3"), 3),
    ((b"X: Content-Length: 9", b"Content-Length: 3"), 3),
    ((b"X-Transfer-Encoding: chunked", b"Content-Length: 3"), 3),
]


# -- requests: where the body ends


@pytest.mark.parametrize(("fields", "length"), REQUEST_LENGTHS)
@pytest.mark.parametrize("method", [b"GET", b"POST", b"OPTIONS"])
def test_a_request_says_where_it_ends(fields: tuple[bytes, ...], length: int, method: bytes) -> None:
    frame = frame_request(request(*fields, method=method))
    assert isinstance(frame, RequestFrame)
    assert frame.length == length
    assert frame.persistent


BAD_LENGTHS = [
    b"", b" ", b"+5", b"-5", b"-0", b"0x5", b"5 5", b"5, 5", b"5,6", b"5,", b",5", b"5;", b"5.0", b"5e0", b"1_0", b"five",
    b"5\t5", b"'5'", b'"5"', b"\xb2", b"\xef\xbc\x95", b"9" * 19, b"0" * 18 + b"5", b"18446744073709551621", b"5 chunked",
    b"0,0", b"5\x85", b"5\xa0", b"\xa05", b"NaN", b"inf", b"5b", b"(5)", b"5/5", b"0b1", b"0o7",
]  # fmt: skip
BAD_CODINGS = [
    b"", b"identity", b"gzip", b"gzip, chunked", b"chunked, gzip", b"chunked, chunked", b"chunked, identity",
    b"identity, chunked", b"chunked;q=1", b"chunked ;", b"chunke", b"chunkedx", b"xchunked", b'"chunked"', b"chunked,",
    b",chunked", b"chun ked", b"\xa0chunked", b"chunked\xa0", b"chunked\x85", b"cow", b"deflate", b"trailers", b"chunked\tx",
    b"'chunked'", b"chunked, cow", b"x, chunked", b"CHUNKED!",
]  # fmt: skip


@pytest.mark.parametrize("value", BAD_LENGTHS)
def test_a_bad_length_is_refused(value: bytes) -> None:
    assert frame_request(request(b"Content-Length: " + value)) is BAD_FRAMING
    assert frame_response(response(b"Content-Length: " + value), b"GET", False) is BAD_RESPONSE


@pytest.mark.parametrize("value", BAD_CODINGS)
def test_a_coding_other_than_chunked_is_refused(value: bytes) -> None:
    assert frame_request(request(b"Transfer-Encoding: " + value)) is BAD_FRAMING
    assert frame_response(response(b"Transfer-Encoding: " + value), b"GET", False) is BAD_RESPONSE


AMBIGUOUS = [
    (b"Content-Length: 5", b"Content-Length: 6"),
    (b"Content-Length: 5", b"Content-Length: 5"),
    (b"Content-Length: 5", b"content-length: 5"),
    (b"Content-Length: 5", b"X: y", b"CONTENT-LENGTH: 5"),
    (b"Content-Length: 0", b"Content-Length: 0"),
    (b"Content-Length:", b"Content-Length: 5"),
    (b"Content-Length: 5", b"Content-Length:"),
    (b"Content-Length: 5", b"Transfer-Encoding: chunked"),
    (b"Transfer-Encoding: chunked", b"Content-Length: 5"),
    (b"Transfer-Encoding: chunked", b"Content-Length: 0"),
    (b"Transfer-Encoding: chunked", b"Content-Length:"),
    (b"Transfer-Encoding: identity", b"Content-Length: 5"),
    (b"Transfer-Encoding:", b"Content-Length: 5"),
    (b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"),
    (b"Transfer-Encoding: chunked", b"transfer-encoding: identity"),
    (b"Transfer-Encoding: identity", b"Transfer-Encoding: chunked"),
    (b"Transfer-Encoding:", b"Transfer-Encoding: chunked"),
    (b"Transfer-Encoding: gzip", b"Transfer-Encoding: chunked"),
    (b"Connection: content-length", b"Content-Length: 5"),
    (b"Connection: close, Content-Length", b"Content-Length: 5"),
    (b"Connection: Transfer-Encoding", b"Transfer-Encoding: chunked"),
    (b"Connection: close", b"Connection: transfer-encoding", b"Transfer-Encoding: chunked"),
    (b"Connection: host",),
]


@pytest.mark.parametrize("fields", AMBIGUOUS)
def test_what_can_be_read_in_two_ways_is_refused(fields: tuple[bytes, ...]) -> None:
    assert frame_request(request(*fields)) is BAD_FRAMING
    assert frame_response(response(*fields), b"GET", False) is BAD_RESPONSE
    assert frame_response(response(*fields, status=304), b"HEAD", False) is BAD_RESPONSE


@pytest.mark.parametrize("version", [b"1.0"])
def test_chunked_belongs_to_http_1_1(version: bytes) -> None:
    assert frame_request(request(b"Transfer-Encoding: chunked", version=version)) is BAD_FRAMING
    assert frame_response(response(b"Transfer-Encoding: chunked", version=version), b"GET", False) is BAD_RESPONSE


@pytest.mark.parametrize("fields", [(b"Content-Length: 0",), (b"Content-Length: 5",), (b"Transfer-Encoding: chunked",)])
def test_connect_has_no_body(fields: tuple[bytes, ...]) -> None:
    assert frame_request(request(*fields, method=b"CONNECT")) is BAD_FRAMING
    assert isinstance(frame_request(request(method=b"CONNECT")), RequestFrame)


# -- requests: host and connection


@pytest.mark.parametrize("value", [b"h", b"h:80", b"", b"[::1]:80", b"a-b.c_d", b"h%41", b"H"])
def test_a_sound_host(value: bytes) -> None:
    frame = frame_request(request(host=b"Host: " + value))
    assert isinstance(frame, RequestFrame)
    assert frame.host == value.lower()


@pytest.mark.parametrize("value", [b"a b", b"a,b", b"a/b", b"a?b", b"a#b", b"u@h", b"a\\b", b"a\tb", b"http://h"])
def test_a_bad_host(value: bytes) -> None:
    assert frame_request(request(host=b"Host: " + value)) is BAD_HOST


def test_one_host_and_no_more() -> None:
    assert frame_request(request(host=b"")) is BAD_HOST
    assert frame_request(request(b"Host: h")) is BAD_HOST
    assert frame_request(request(b"host: other")) is BAD_HOST
    assert frame_request(request(b"host:")) is BAD_HOST
    assert isinstance(frame_request(request(host=b"", version=b"1.0")), RequestFrame)


@pytest.mark.parametrize(
    ("target", "host", "agrees"),
    [
        (b"http://h/x", b"h", True),
        (b"http://H/x", b"h", True),
        (b"HTTP://h:80/x", b"h:80", True),
        (b"http://h?x", b"h", True),
        (b"http://h", b"h", True),
        (b"http://h/x", b"other", False),
        (b"http://h:81/x", b"h", False),
        (b"http://u@h/x", b"h", False),
        (b"http://h/x", b"", False),
        (b"/x", b"h", True),
        (b"*", b"h", True),
    ],
)
def test_an_absolute_target_names_the_same_host(target: bytes, host: bytes, agrees: bool) -> None:
    assert host_agrees(target, host) is agrees


@pytest.mark.parametrize(
    ("fields", "version", "persistent", "upgrade"),
    [
        ((), b"1.1", True, False),
        ((), b"1.0", False, False),
        ((b"Connection: keep-alive",), b"1.0", False, False),
        ((b"Connection: keep-alive",), b"1.1", True, False),
        ((b"Connection: close",), b"1.1", False, False),
        ((b"connection: Close",), b"1.1", False, False),
        ((b"Connection: x, close",), b"1.1", False, False),
        ((b"Connection: x", b"Connection: close"), b"1.1", False, False),
        ((b"Connection: closed",), b"1.1", True, False),
        ((b"Connection: upgrade", b"Upgrade: websocket"), b"1.1", True, True),
        ((b"Connection: keep-alive, Upgrade", b"Upgrade: websocket"), b"1.1", True, True),
        ((b"Connection: upgrade", b"Upgrade: websocket"), b"1.0", False, False),
        ((b"Connection: upgrade",), b"1.1", True, False),
        ((b"Upgrade: websocket",), b"1.1", True, False),
        ((b"Connection: upgrade", b"Upgrade: h2c"), b"1.1", True, False),
        ((b"Connection: upgrade", b"Upgrade: websocket, h2c"), b"1.1", True, False),
        ((b"Connection: upgrade", b"Upgrade: HTTP/2.0"), b"1.1", True, False),
        ((b"Connection: upgrade", b"Upgrade: TLS/1.3"), b"1.1", True, False),
    ],
)
def test_what_a_request_says_of_its_connection(
    fields: tuple[bytes, ...], version: bytes, persistent: bool, upgrade: bool
) -> None:
    frame = frame_request(request(*fields, version=version))
    assert isinstance(frame, RequestFrame)
    assert (frame.persistent, frame.upgrade) == (persistent, upgrade)
