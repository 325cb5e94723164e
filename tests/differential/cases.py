"""Requests and responses, sound and malformed. `TOKEN` stands for what tells one case from another."""

# ruff: noqa: E501  # tables, a row as long as it is

from collections.abc import Iterator
from typing import NamedTuple

__all__ = ["REQUESTS", "RESPONSES", "TOKEN", "Case"]

TOKEN = b"@@"


class Case(NamedTuple):
    """One message."""

    wire: bytes
    sound: bool
    """It must arrive; one that is not sound is judged by what the peers do."""


def request(*lines: bytes, body: bytes = b"", method: bytes = b"POST", sound: bool = False, host: bool = True) -> Case:
    fields = [b"Host: h", *lines] if host else lines
    head = b"%b /%b HTTP/1.1\r\n" % (method, TOKEN) + b"".join(line + b"\r\n" for line in fields) + b"\r\n"
    return Case(head + body, sound)


def response(*lines: bytes, body: bytes = b"", status: bytes = b"HTTP/1.1 200 OK", sound: bool = False) -> Case:
    return Case(status + b"\r\n" + b"".join(line + b"\r\n" for line in lines) + b"\r\n" + body, sound)


LENGTHS = [
    b"", b"+5", b"-5", b"-0", b"0x5", b"5 5", b"5, 5", b"5,6", b"5,", b",5", b"5;", b"5.0", b"5e0", b"1_0", b"five", b"'5'",
    b'"5"', b"\xb2", b"99999999999999999999", b"18446744073709551621", b"4294967301x", b"5 chunked", b"5\x0b", b"5\x0c",
    b"5\xa0", b"NaN", b"5b", b"(5)", b"5/5", b"0b1", b"0o5", b"5\0", b"\x005", b"5\x7f",
]  # fmt: skip
CODINGS = [
    b"", b"identity", b"gzip, chunked", b"chunked, gzip", b"chunked, chunked", b"chunked, identity", b"identity, chunked",
    b"chunked;q=1", b"chunke", b"chunkedx", b"xchunked", b'"chunked"', b"chunked,", b",chunked", b"chun ked", b"\xa0chunked",
    b"chunked\xa0", b"chunked\x0b", b"\x0bchunked", b"cow", b"deflate", b"x, chunked", b"chunked\0", b"chunked\x7f",
]  # fmt: skip
PAIRS = [
    (b"Content-Length: 5", b"Content-Length: 6"),
    (b"Content-Length: 5", b"Content-Length: 5"),
    (b"Content-Length: 5", b"content-length: 0"),
    (b"Content-Length: 0", b"CONTENT-LENGTH: 5"),
    (b"Content-Length:", b"Content-Length: 5"),
    (b"Content-Length: 5", b"Transfer-Encoding: chunked"),
    (b"Transfer-Encoding: chunked", b"Content-Length: 5"),
    (b"Transfer-Encoding: chunked", b"Content-Length: 0"),
    (b"Transfer-Encoding: identity", b"Content-Length: 5"),
    (b"Transfer-Encoding:", b"Content-Length: 5"),
    (b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"),
    (b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"),
    (b"Transfer-Encoding: identity", b"Transfer-Encoding: chunked"),
    (b"Transfer-Encoding: chunked", b"transfer-encoding: cow"),
    (b"Transfer-Encoding : chunked", b"Content-Length: 5"),
    (b"Transfer-Encoding\t: chunked", b"Content-Length: 5"),
    (b"Transfer-Encoding: chunked", b"Content-Length : 5"),
    (b"Content-Length : 5",),
    (b"Content-Length\t: 5",),
    (b" Content-Length: 5",),
    (b"X: y", b" Content-Length: 5"),
    (b"X: y", b"\tTransfer-Encoding: chunked"),
    (b"Content-Length: 5\r\n 6",),
    (b"Content-Length:\r\n 5",),
    (b"Transfer-Encoding:\r\n chunked",),
    (b"Transfer-Encoding: chunked\r\n , identity",),
    (b"Content-Length: 5\rX: y",),
    (b"Content-Length: 5\nTransfer-Encoding: chunked",),
    (b"X: y\rContent-Length: 5",),
    (b"X: y\nContent-Length: 5",),
    (b"X\0: y", b"Content-Length: 5"),
    (b"Content-Length\0: 5",),
    (b"Content-Length\xa0: 5",),
    (b"\x0bContent-Length: 5",),
    (b"Content-Length",),
    (b"Content-Length 5",),
    (b": 5",),
    (b"Connection: content-length", b"Content-Length: 5"),
    (b"Connection: transfer-encoding", b"Transfer-Encoding: chunked"),
    (b"X: a\0b",),
    (b"X: a\x01b",),
    (b"X y: z",),
    (b"X(: z",),
    (b"X\xe4: z",),
]
CHUNKED = [
    b"\r\n", b"\n", b" 5\r\nhello\r\n0\r\n\r\n", b"5 \r\nhello\r\n0\r\n\r\n", b"+5\r\nhello\r\n0\r\n\r\n",
    b"-5\r\nhello\r\n0\r\n\r\n", b"0x5\r\nhello\r\n0\r\n\r\n", b"5_0\r\nhello\r\n0\r\n\r\n", b"g\r\nhello\r\n0\r\n\r\n",
    b"5g\r\nhello\r\n0\r\n\r\n", b"5.\r\nhello\r\n0\r\n\r\n", b"5,5\r\nhello\r\n0\r\n\r\n", b"5\t\r\nhello\r\n0\r\n\r\n",
    b"5\0\r\nhello\r\n0\r\n\r\n", b"\xb2\r\nhello\r\n0\r\n\r\n", b"ffffffffffffffff\r\nhello\r\n0\r\n\r\n",
    b"10000000000000005\r\nhello\r\n0\r\n\r\n", b"100000000000000000000000000005\r\nhello\r\n0\r\n\r\n",
    b"5\nhello\r\n0\r\n\r\n", b"5\rhello\r\n0\r\n\r\n", b"5\r\r\nhello\r\n0\r\n\r\n", b"5;\nhello\r\n0\r\n\r\n",
    b"5;a\rb\r\nhello\r\n0\r\n\r\n", b"5;a\0\r\nhello\r\n0\r\n\r\n", b"5\r\nhello0\r\n\r\n", b"5\r\nhello\n0\r\n\r\n",
    b"5\r\nhello\r0\r\n\r\n", b"5\r\nhelloo\r\n0\r\n\r\n", b"5\r\nhell\r\n0\r\n\r\n", b"5\r\nhello\r\n\r\n0\r\n\r\n",
    b"0\n\n", b"0\r\n\n", b"0\n\r\n", b"5\r\nhello\r\n0\r\nX\r\n\r\n", b"5\r\nhello\r\n0\r\nX : y\r\n\r\n",
    b"5\r\nhello\r\n0\r\n X: y\r\n\r\n", b"5\r\nhello\r\n0\r\nX: y\r\n z\r\n\r\n", b"5\r\nhello\r\n0\r\nX: y\n\r\n",
    b"5\r\nhello\r\n0\r\nX: \0\r\n\r\n", b"5\r\nhello\r\n0\r\n: y\r\n\r\n", b"5\r\nhello\r\n0 \r\n\r\n", b"5\r\nhello\r\n0x0\r\n\r\n",
    b"5\r\nhello\r\n-0\r\n\r\n", b"5\r\nhello\r\n+0\r\n\r\n", b"5;" + b"x" * 20_000 + b"\r\nhello\r\n0\r\n\r\n",
    b"5\r\nhello\r\n0\r\nContent-Length: 5\r\n\r\n", b"5\r\nhello\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"0" * 40 + b"5\r\nhello\r\n0\r\n\r\n", b";x\r\nhello\r\n0\r\n\r\n", b"5 ;x\r\nhello\r\n0\r\n\r\n", b"5;x y\r\nhello\r\n0\r\n\r\n",
]  # fmt: skip
SOUND_CHUNKED = [
    b"0\r\n\r\n", b"00\r\n\r\n", b"5\r\nhello\r\n0\r\n\r\n", b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", b"A\r\n0123456789\r\n0\r\n\r\n",
    b"a\r\n\r\n\r\n\r\n\r\n\r\n\r\n0\r\n\r\n", b"005\r\nhello\r\n0\r\n\r\n", b"5;name=value\r\nhello\r\n0\r\n\r\n", b"5;a\r\nhello\r\n0;b\r\n\r\n",
    b"1\r\n\n\r\n0\r\n\r\n", b"5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n", b"4e20\r\n" + b"x" * 20_000 + b"\r\n0\r\n\r\n",
]  # fmt: skip
REQUEST_LINES = [
    b"POST /@@", b"POST /@@ HTTP/1.1 ", b"POST  /@@ HTTP/1.1", b"POST /@@  HTTP/1.1", b"POST\t/@@ HTTP/1.1", b"POST /@@\tHTTP/1.1",
    b" POST /@@ HTTP/1.1", b"POST /@@ x HTTP/1.1", b"POST /@@ HTTP/1.1x", b"POST /@@ HTTP/11", b"POST /@@ HTTP/2.0",
    b"POST /@@ HTTP/9.9", b"POST /@@ http/1.1", b"POST /@@ HTTP/1,1", b"POST /@@ HTTP/1.", b"POST /@@ HTTP /1.1", b"P(ST /@@ HTTP/1.1",
    b"POST /@@\0 HTTP/1.1", b"PO\0ST /@@ HTTP/1.1", b"POST /@@\x01 HTTP/1.1", b"POST /@@\x7f HTTP/1.1", b"/@@ HTTP/1.1",
    b"POST @@ HTTP/1.1", b"POST HTTP/1.1 /@@", b"POST /@@ HTTP/-1.1", b"POST /@@ HTTP/1.1\rX: y", b"POST /@@#x HTTP/1.1",
    b"POST /../@@ HTTP/1.1", b"POST /%zz/@@ HTTP/1.1", b"POST /%00/@@ HTTP/1.1", b"POST http://other/@@ HTTP/1.1",
    b"POST http://h:x@h/@@ HTTP/1.1",
]  # fmt: skip
HOSTS = [
    [], [b"Host: h", b"Host: h"], [b"Host: h", b"Host: i"], [b"Host: a b"], [b"Host: a/b"], [b"Host: a@b"], [b"Host: a\0b"],
    [b"Host : h"], [b"Host: h, i"], [b"Host: a\\b"], [b"Host: h", b"host:"], [b"Host: a?b"], [b"Host: a#b"],
]  # fmt: skip
SOUND_FIELDS = [
    [], [b"X:"], [b"X: "], [b"X: y "], [b"X:\ty\t"], [b"x-UPPER: MiXed"], [b"X: \xe4\xff"], [b"X: a:b, c;d"], [b"X: " + b"y" * 4_000],
    [b"Cookie: a=b; c=d"], [b"X: 1", b"X: 2"], [b"Accept-Encoding: gzip"], [b"Authorization: Basic eDp5"], [b"User-Agent: x (y; z)"],
    [b"If-None-Match: \"x\""], [b"Referer: http://x/?y=Content-Length:5"], [b"X-Content-Length: 5"], [b"Content-Type: a/b; c=\"d\""],
    [b"Connection: keep-alive"], [b"Connection: close"], [b"Connection: x-mine", b"X-Mine: 1"], [b"Keep-Alive: 5"], [b"TE: trailers"],
    [b"Proxy-Connection: keep-alive"], [b"X-Forwarded-For: 1.1.1.1"], [b"!#$%&'*+-.^_`|~: token"], [b"Range: bytes=0-1"],
]  # fmt: skip
METHODS = [b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"PATCH", b"PROPFIND", b"M-SEARCH"]


def _requests() -> Iterator[Case]:
    for value in LENGTHS:
        yield request(b"Content-Length: " + value, body=b"hello")
    for value in CODINGS:
        yield request(b"Transfer-Encoding: " + value, body=b"5\r\nhello\r\n0\r\n\r\n")
    for pair in PAIRS:
        yield request(*pair, body=b"5\r\nhello\r\n0\r\n\r\n")
    for body in CHUNKED:
        yield request(b"Transfer-Encoding: chunked", body=body)
    for line in REQUEST_LINES:
        yield Case(line + b"\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello", False)
    for fields in HOSTS:
        yield request(*fields, b"Content-Length: 5", body=b"hello", host=False)
    for wire in (b"POST /@@ HTTP/1.1\nHost: h\n\n", b"POST /@@ HTTP/1.1\r\nHost: h\r\n\n", b"POST /@@ HTTP/1.1\r\nHost: h\n\r\n",
                 b"POST /@@ HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"POST /@@ HTTP/1.1\r\nHost: h\r\r\n\r\n",
                 b"POST /@@\r\n\r\n", b"POST /@@ HTTP/1.1\r\n\r\n\r\n"):  # fmt: skip
        yield Case(wire, False)
    for body in SOUND_CHUNKED:
        yield request(b"Transfer-Encoding: chunked", body=body, sound=True)
    for fields in SOUND_FIELDS:
        yield request(*fields, b"Content-Length: 5", body=b"hello", sound=True)
        yield request(*fields, method=b"GET", sound=True)
    for method in METHODS:
        yield request(method=method, sound=True)
        yield request(b"content-length:3", body=b"\r\n\0", method=method, sound=True)
    for size in (0, 1, 1_000, 65_536, 65_537, 300_000):
        yield request(b"Content-Length: %d" % size, body=b"x" * size, sound=True)
    for path in (b"/@@/a%20b?x=y&z=%2F", b"/@@//a/./b/../c", b"/@@/\xe4", b"http://h/@@", b"/@@?http://x/"):
        yield Case(b"GET " + path + b" HTTP/1.1\r\nHost: h\r\n\r\n", True)


def _responses() -> Iterator[Case]:
    for value in LENGTHS:
        yield response(b"Content-Length: " + value, body=b"hello")
    for value in CODINGS:
        yield response(b"Transfer-Encoding: " + value, body=b"5\r\nhello\r\n0\r\n\r\n")
    for pair in PAIRS:
        yield response(*pair, body=b"5\r\nhello\r\n0\r\n\r\n")
    for body in CHUNKED:
        yield response(b"Transfer-Encoding: chunked", body=body)
    for status in (b"HTTP/1.1 20 OK", b"HTTP/1.1 2000 OK", b"HTTP/1.1 +20 OK", b"HTTP/1.1 abc", b"HTTP/2.0 200 OK", b"HTP/1.1 200 OK",
                   b"200 OK", b"HTTP/1.1\t200 OK", b" HTTP/1.1 200 OK", b"HTTP/1.1 200 O\0K", b"HTTP/1.1 101 X"):  # fmt: skip
        yield response(b"Content-Length: 5", body=b"hello", status=status)
    for body in SOUND_CHUNKED:
        yield response(b"Transfer-Encoding: chunked", body=body, sound=True)
    for fields in SOUND_FIELDS:
        yield response(*fields, b"Content-Length: 5", body=b"hello", sound=True)
        yield response(*fields, body=b"until the end", sound=True)
    for status in (
        b"HTTP/1.1 404 Not Found",
        b"HTTP/1.1 500",
        b"HTTP/1.0 200 OK",
        b"HTTP/1.1 299 odd  reason",
        b"HTTP/1.1 302 \xe4",
    ):
        yield response(b"Content-Length: 5", body=b"hello", status=status, sound=True)
    for status in (b"HTTP/1.1 204 No Content", b"HTTP/1.1 304 Not Modified"):
        yield response(b"X: y", status=status, sound=True)
    for size in (0, 1, 1_000, 65_536, 65_537, 300_000):
        yield response(b"Content-Length: %d" % size, body=b"x" * size, sound=True)


REQUESTS = list(_requests())
RESPONSES = list(_responses())
