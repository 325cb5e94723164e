"""The preface: read once, in any pieces, and what it says when no more comes."""

import pytest
from portico.core.answers import BAD_REQUEST, HEAD_TOO_LARGE, NOT_HTTP, VERSION
from portico.core.clienthello import TlsFacts, make_hello
from portico.core.head import Head, read_head
from portico.core.preface import BadHost, Preface
from portico.core.verdict import MORE, NO, YES, Verdict
from svckit.paths import BadTarget

REQUEST = b"GET /a/../b%41?q HTTP/1.1\r\nHost: X.org:80\r\nA: 1\r\na:  2 \r\n\r\n"


def asked(data: bytes) -> Preface:
    """A preface whose head was looked for."""
    preface = Preface(data)
    assert preface.head is None or preface.head
    return preface


def in_bytes(data: bytes) -> Preface:
    """The same, grown byte by byte, and asked at each."""
    preface = Preface()
    for at in range(len(data)):
        preface.add(data[at : at + 1])
        assert preface.head is None or at == len(data) - 1 or data[: at + 1].endswith(b"\r\n\r\n")
    return preface


@pytest.mark.parametrize("made", [asked, in_bytes])
@pytest.mark.parametrize("trailing", [b"", b"body", REQUEST])
def test_what_a_request_says(made: object, trailing: bytes) -> None:
    preface: Preface = made(REQUEST)  # type: ignore[operator]
    preface.add(trailing)
    head = preface.head
    assert isinstance(head, Head)
    assert head.end == len(REQUEST)
    assert preface.request is head
    assert preface.path == b"/bA"
    assert preface.host == b"x.org"
    assert preface.fields(b"a") == [b"1", b"2"]
    assert preface.fields(b"b") == []
    assert preface.http is YES
    assert preface.tls is NO
    assert preface.more is NO


def test_a_head_that_was_read_already_is_not_read_again() -> None:
    head = read_head(b"GET /x HTTP/1.1\r\n\r\n")
    assert Preface(b"something else", head=head).head is head


def test_a_path_without_meaning() -> None:
    preface = asked(b"GET /../x HTTP/1.1\r\n\r\n")
    with pytest.raises(BadTarget):
        preface.path  # noqa: B018


@pytest.mark.parametrize(
    ("target", "fields", "expected"),
    [
        (b"/", b"", None),
        (b"/", b"Host:\r\n", b""),
        (b"/", b"HOST: A.org\r\n", b"a.org"),
        (b"/", b"Host:a.org.\r\n", b"a.org"),
        (b"/", b"Host: a.org:8080\r\n", b"a.org"),
        (b"/", b"Host: a.org.:\r\n", b"a.org"),
        (b"/", b"Host: [::1]:80\r\n", b"[::1]"),
        (b"http://B.org:1/x", b"", b"b.org"),
        (b"http://b.org/x", b"Host: b.org:80\r\n", b"b.org"),
        (b"*", b"Host: a.org\r\n", b"a.org"),
    ],
)
def test_hosts(target: bytes, fields: bytes, expected: bytes | None) -> None:
    assert asked(b"GET %s HTTP/1.1\r\n%s\r\n" % (target, fields)).host == expected


@pytest.mark.parametrize(
    ("target", "fields"),
    [
        (b"/", b"Host: a\r\nhost: a\r\n"),
        (b"/", b"Host: a b\r\n"),
        (b"/", b"Host: a, b\r\n"),
        (b"/", b"Host: a@b\r\n"),
        (b"/", b"Host: a/b\r\n"),
        (b"/", b"Host: a:b\r\n"),
        (b"/", b"Host: ::1\r\n"),
        (b"/", b"Host: [x]\r\n"),
        (b"http://a/", b"Host: b\r\n"),
        (b"http://u@a/", b"Host: a\r\n"),
    ],
)
def test_hosts_that_are_unsound(target: bytes, fields: bytes) -> None:
    with pytest.raises(BadHost):
        asked(b"GET %s HTTP/1.1\r\n%s\r\n" % (target, fields)).host  # noqa: B018


@pytest.mark.parametrize(
    ("data", "http", "at_last"),
    [
        (b"", MORE, NO),
        (b"GET", MORE, NO),
        (b"GET ", MORE, YES),
        (b"\r\nGET /x", MORE, YES),
        (b"GET /x HTTP/1.1\r\nA: b", MORE, YES),
        (b"SSH-2.0-x\r\n", NO, NO),
        (b"\x16\x03", NO, NO),
        (b"EHLO there\r\n", NO, NO),
        (b"EHLO there\n", NO, NO),
        (b"GET /x\r\n", NO, NO),
        (b"GET /x HTTP/1.1\n", YES, YES),
        (b"GET  /x HTTP/1.1\r\n", YES, YES),
        (b"PRI * HTTP/2.0\r\n", YES, YES),
    ],
)
def test_whether_it_is_http(data: bytes, http: Verdict, at_last: Verdict) -> None:
    preface = Preface(data)
    assert preface.http is http
    preface.final = True
    assert preface.http is at_last


@pytest.mark.parametrize(
    ("data", "answer", "more"),
    [
        (b"\x16", NOT_HTTP, MORE),
        (b"EHLO x\r\n", BAD_REQUEST, MORE),
        (b"GET / HTTP/1.1\r\nA : b\r\n\r\n", BAD_REQUEST, NO),
        (b"GET / HTTP/3\r\n", VERSION, NO),
        (b"GET / HTTP/1.1\r\nA: " + b"b" * 100, HEAD_TOO_LARGE, NO),
    ],
)
def test_nothing_more_counts_when_it_is_known_to_be_bad_http(data: bytes, answer: object, more: Verdict) -> None:
    preface = Preface(data, limit=100)
    assert preface.head is answer
    assert preface.request is NO
    assert preface.more is more


def test_a_full_preface_is_final() -> None:
    preface = Preface(b"x" * 9, limit=10)
    assert preface.more is MORE
    preface.add(b"x")
    assert preface.more is NO


def test_tls_in_pieces() -> None:
    facts = TlsFacts(b"x.org", (b"h2",))
    hello = make_hello(facts)
    preface = Preface()
    for at in range(len(hello)):
        assert preface.tls is MORE
        preface.add(hello[at : at + 1])
    assert preface.tls == facts
    preface.add(b"trailing")
    assert preface.tls == facts
    assert not preface.tls_ends_here


def test_tls_that_does_not_come() -> None:
    preface = Preface(make_hello(TlsFacts(b"x.org", ()))[:-1])
    preface.final = True
    assert preface.tls is NO
    assert Preface(b"GET").tls is NO


def test_tls_that_ended_here() -> None:
    facts = TlsFacts(None, ())
    preface = Preface(b"GET / HTTP/1.1\r\n\r\n", tls=facts)
    assert preface.tls is facts
    assert preface.tls_ends_here
    assert isinstance(preface.head, Head)
