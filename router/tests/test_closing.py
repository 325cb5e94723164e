"""`Connection: close` in a request: exactly that line changes, and everything else stays byte for byte."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from portico.core.closing import closing_head
from portico.core.head import read_head

BODY = b"\0body\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.1\r\n\r\n"


def closed(fields: bytes, body: bytes = b"") -> bytes:
    preface = b"POST /x?y=%20z HTTP/1.1\r\n" + fields + b"\r\n" + body
    head = read_head(preface)
    assert head is not None
    return closing_head(preface, head)


def expected(fields: bytes, connection: bytes = b"close", body: bytes = b"") -> bytes:
    return b"POST /x?y=%20z HTTP/1.1\r\n" + fields + b"Connection: " + connection + b"\r\n\r\n" + body


@pytest.mark.parametrize(
    ("fields", "left"),
    [
        (b"", b""),
        (b"Host: h\r\n", b"Host: h\r\n"),
        (b"Connection: keep-alive\r\n", b""),
        (b"A: b\r\nConnection: keep-alive\r\nC: d\r\n", b"A: b\r\nC: d\r\n"),
        (b"cOnNeCtIoN:keep-alive\r\nA: b\r\n", b"A: b\r\n"),
        (b"Connection:\r\nA: b\r\n", b"A: b\r\n"),
        (b"Connection: close\r\nConnection: keep-alive\r\n", b""),
        (b"Keep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nA: b\r\n", b"A: b\r\n"),
        (b"X-Connection: keep-alive\r\nConnections: 3\r\n", b"X-Connection: keep-alive\r\nConnections: 3\r\n"),
        (b"A: Connection: keep-alive\r\n", b"A: Connection: keep-alive\r\n"),
        (b"a:  \t odd \xff spacing \t\r\nA: b\r\n", b"a:  \t odd \xff spacing \t\r\nA: b\r\n"),
        (b"Keep-Alive-Not: 1\r\n", b"Keep-Alive-Not: 1\r\n"),
    ],
)
def test_only_the_lines_about_the_connection_change(fields: bytes, left: bytes) -> None:
    assert closed(fields, BODY) == expected(left, body=BODY)


@pytest.mark.parametrize(
    "connection",
    [
        b"Connection: Upgrade\r\n",
        b"connection:upgrade\r\n",
        b"CONNECTION: keep-alive, UPGRADE\r\n",
        b"Connection: upgrade,keep-alive\r\n",
        b"Connection: keep-alive ,\tupgrade \r\n",
        b"Connection: keep-alive\r\nConnection: Upgrade\r\n",
        b"Connection: , Upgrade ,\r\n",
        b"Connection: Upgrade, HTTP2-Settings\r\n",
    ],
)
def test_an_upgrade_is_kept(connection: bytes) -> None:
    wire = closed(b"Upgrade: websocket\r\n" + connection + b"Sec-WebSocket-Key: k==\r\n", BODY)
    assert wire == expected(b"Upgrade: websocket\r\nSec-WebSocket-Key: k==\r\n", b"close, upgrade", BODY)


@pytest.mark.parametrize(
    "fields",
    [
        b"Upgrade: websocket\r\n",
        b"X-Connection: upgrade\r\n",
        b"Upgrade-Insecure-Requests: 1\r\n",
        b"Connection: upgraded\r\n",
        b"Connection: x-upgrade\r\n",
        b"Connection: upgrade-insecure-requests\r\n",
        b'Connection: "upgrade"\r\n',
    ],
)
def test_no_upgrade_where_none_was_asked_for(fields: bytes) -> None:
    assert b"\r\nConnection: close\r\n\r\n" in closed(fields)


def test_the_version_stays() -> None:
    preface = b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
    head = read_head(preface)
    assert head is not None
    assert closing_head(preface, head) == b"GET / HTTP/1.0\r\nConnection: close\r\n\r\n"


def test_an_empty_line_before_the_request_is_not_passed_on() -> None:
    preface = b"\r\nGET / HTTP/1.1\r\n\r\nbody"
    head = read_head(preface)
    assert head is not None
    assert closing_head(preface, head) == b"GET / HTTP/1.1\r\nConnection: close\r\n\r\nbody"


names = st.sampled_from([b"Connection", b"connection", b"Keep-Alive", b"Proxy-Connection", b"Host", b"X", b"Content-Length"])
values = st.text(" \t,abupgrade-closeUPGRADE:", max_size=20).map(str.encode)


@given(st.lists(st.tuples(names, values), max_size=6), st.binary(max_size=30))
def test_the_result_is_sound_and_says_close_once(made: list[tuple[bytes, bytes]], body: bytes) -> None:
    hop = (b"connection", b"keep-alive", b"proxy-connection")
    wire = closed(b"".join(b"%s:%s\r\n" % field for field in made), body)
    head = read_head(wire)
    assert head is not None
    assert wire[head.end :] == body
    kept = b"".join(b"%s:%s\r\n" % (name, value) for name, value in made if name.lower() not in hop)
    tokens = {t.strip(b" \t").lower() for name, value in made if name.lower() == b"connection" for t in value.split(b",")}
    connection = b"close, upgrade" if b"upgrade" in tokens else b"close"
    assert head.fields == kept + b"Connection: " + connection + b"\r\n"


def test_a_long_hostile_field_is_rewritten_in_one_pass() -> None:
    """An expression that went back again and again would never end here."""
    noise = b"Connection: " + b" ,\t" * (1 << 18) + b"\r\n" + b"Connection: " + b"upgrad," * (1 << 17) + b"\r\n"
    assert closed(noise) == expected(b"")
