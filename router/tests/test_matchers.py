"""Each matcher: whole, byte by byte, and with trailing bytes; what it says when no more comes; and in words."""

import re

import pytest
from portico.core.clienthello import TlsFacts
from portico.core.matchers import (
    All,
    Any,
    Bytes,
    Default,
    Header,
    Host,
    Matcher,
    Method,
    Not,
    Path,
    Pattern,
    Prefix,
    Silence,
    Ssh,
    Tls,
)
from portico.core.matchers.bytes_ import unescape
from portico.core.preface import Preface
from portico.core.verdict import MORE, NO, YES, Verdict
from svckit.paths import BadTarget

from .support.matching import BARE, H, check, judged, names, request

CASES = [
    (Prefix(b"/up/"), request(b"/up/x"), YES),
    (Prefix(b"/up/"), request(b"/up"), YES),
    (Prefix(b"/up"), request(b"/up/"), YES),
    (Prefix(b"/up"), request(b"//%75p/./x?y"), YES),
    (Prefix(b"/up"), request(b"http://h/up/x"), YES),
    (Prefix(b"/up"), request(b"/uploads"), NO),
    (Prefix(b"/up"), request(b"/"), NO),
    (Prefix(b"/"), request(b"/"), YES),
    (Prefix(b"/"), request(b"*"), NO),
    (Prefix(b"/"), b"SSH-2.0-x\r\n", NO),
    (Path(b"/a"), request(b"/a?q"), YES),
    (Path(b"/a"), request(b"/b/../a"), YES),
    (Path(b"/a"), request(b"/a/"), NO),
    (Path(b"/a"), b"\x16\x03\x01", NO),
    (Host(names("a.org")), request(b"/", b"Host: A.org.:80"), YES),
    (Host(names("a.org")), request(b"/", b"Host: b.org"), NO),
    (Host(names("a.org")), request(b"/"), NO),
    (Host(names("*.a.org")), request(b"http://x.a.org/"), YES),
    (Host(names("a.org")), b"\x00", NO),
    (Method(frozenset([b"GET", b"HEAD"])), request(method=b"HEAD"), YES),
    (Method(frozenset([b"GET", b"HEAD"])), request(method=b"POST"), NO),
    (Method(frozenset([b"GET"])), request(method=b"get"), NO),
    (Method(frozenset([b"GET"])), b"\x00", NO),
    (Header(b"x-env"), request(b"/", b"X-Env:"), YES),
    (Header(b"x-env"), request(b"/", b"X-Envy: a"), NO),
    (Header(b"x-env", b"blue"), request(b"/", b"X-ENV: \tblue "), YES),
    (Header(b"x-env", b"blue"), request(b"/", b"X-Env: red", b"X-Env: blue"), YES),
    (Header(b"x-env", b"blue"), request(b"/", b"X-Env: Blue"), NO),
    (Header(b"x-env", b"blue"), request(b"/", b"X-Env: blue green"), NO),
    (Header(b"x-env", re.compile(rb"^v[12]$")), request(b"/", b"X-Env: v2"), YES),
    (Header(b"x-env", re.compile(rb"^v[12]$")), request(b"/", b"X-Env: v22"), NO),
    (Header(b"x-env", re.compile(rb"blue")), request(b"/", b"X-Env: deep blue sea"), YES),
    (Header(b"x-env"), b"\x00", NO),
    (Tls(), H, YES),
    (Tls(), BARE, YES),
    (Tls(), request(), NO),
    (Tls(names("a.example.org")), H, YES),
    (Tls(names("*.example.org")), H, YES),
    (Tls(names("example.org")), H, NO),
    (Tls(names("a.example.org")), BARE, NO),
    (Tls(alpn=frozenset([b"http/1.1"])), H, YES),
    (Tls(alpn=frozenset([b"h3", b"acme-tls/1"])), H, NO),
    (Tls(alpn=frozenset([b"h2"])), BARE, NO),
    (Tls(names("a.example.org"), frozenset([b"h2"])), H, YES),
    (Tls(names("b.example.org"), frozenset([b"h2"])), H, NO),
    (Ssh(), b"SSH-2.0-OpenSSH_9.2\r\n", YES),
    (Ssh(), b"SSH-2.0-", YES),
    (Ssh(), b"SSH-1.99-x", YES),
    (Ssh(), b"SSH-1.5-x", NO),
    (Ssh(), b"SSH-2.0 ", NO),
    (Ssh(), b"ssh-2.0-", NO),
    (Ssh(), request(), NO),
    (Bytes(b"\x00\x01"), b"\x00\x01", YES),
    (Bytes(b"\x00\x01"), b"\x00\x02", NO),
    (Bytes(b"EHLO "), b"EHLO x\r\n", YES),
    (Bytes(b"EHLO "), b"HELO x\r\n", NO),
    (Bytes(b"GET /x"), request(b"/x"), YES),
    (Pattern(re.compile(rb"(?i)ehlo|helo")), b"helo x\r\n", YES),
    (Pattern(re.compile(rb"b"), 4), b"abbb", NO),
    (Pattern(re.compile(rb"[^b]*b"), 4), b"aaab", YES),
    (Pattern(re.compile(rb"[^b]*b"), 4), b"aaaab", NO),
    (Pattern(re.compile(rb"GET /y"), 64), request(b"/x"), NO),
    (Silence(0.5), b"x", NO),
    (Default(), request(b"/"), YES),
    (Default(), request(b"*"), YES),
    (Default(), b"SSH-2.0-x", YES),
    (Default(), b"\x16", YES),
    (Default(), b"EHLO x\r\n", YES),
    (Default(), b"GET / HTTP/1.1\n", NO),
    (Default(), request(b"/.."), NO),
    (Default(), b"PRI * HTTP/2.0\r\n\r\n", NO),
    (Not(Ssh()), request(), YES),
    (Not(Ssh()), b"SSH-2.0-x", NO),
    (Any((Ssh(), Bytes(b"\x00"))), b"\x00", YES),
    (Any((Ssh(), Bytes(b"\x00"))), b"\x01", NO),
    (All((Tls(names("a.example.org")), Not(Tls(alpn=frozenset([b"h3"]))))), H, YES),
    (All((Method(frozenset([b"GET"])), Header(b"x-env"))), request(b"/", b"X-Env: a"), YES),
    (All((Method(frozenset([b"GET"])), Header(b"x-env"))), request(b"/"), NO),
]


@pytest.mark.parametrize(("matcher", "data", "expected"), CASES)
def test_verdicts(matcher: Matcher, data: bytes, expected: Verdict) -> None:
    check(matcher, data, expected)


@pytest.mark.parametrize(("matcher", "data", "expected"), [case for case in CASES if case[2] is NO])
def test_a_no_can_be_told_in_words(matcher: Matcher, data: bytes, expected: Verdict) -> None:
    preface = Preface(data)
    if matcher.http and judged(Default(), data) is YES and preface.http is NO:
        return  # such a route is not asked about what is not HTTP
    assert preface.head is None or preface.head
    assert matcher.saw(preface)
    assert "\n" not in matcher.saw(preface)


@pytest.mark.parametrize(
    ("matcher", "data"),
    [
        (Prefix(b"/"), b"GET /"),
        (Path(b"/"), b"GET / HTTP/1.1\r\n"),
        (Host(names("a")), b"GET / HTTP/1.1\r\nHost: a\r\n"),
        (Method(frozenset([b"GET"])), b"GET"),
        (Header(b"a"), b"GET / HTTP/1.1\r\nA: b\r\n"),
        (Tls(), H[:-1]),
        (Tls(), b""),
        (Ssh(), b"SSH-2.0"),
        (Ssh(), b"SSH-1.99"),
        (Ssh(), b""),
        (Bytes(b"\x00\x01"), b"\x00"),
        (Pattern(re.compile(rb"[^b]*b"), 4), b"aaa"),
        (Default(), b"GE"),
        (Any((Ssh(), Bytes(b"x"))), b"S"),
        (All((Ssh(), Bytes(b"SSH-2.0-Open"))), b"SSH-2.0-"),
    ],
)
def test_what_is_not_there_yet(matcher: Matcher, data: bytes) -> None:
    """More is needed, until no more comes: then it is a no, and for the opposite a yes."""
    preface = Preface(data)
    assert preface.head is None or preface.head
    assert matcher.match(preface) is MORE
    assert Not(matcher).match(preface) is MORE
    preface.final = True
    if not (isinstance(matcher, Default) and data):
        assert matcher.match(preface) is NO
        assert Not(matcher).match(preface) is YES


def test_default_at_the_deadline() -> None:
    """Letters without a blank may be anything; a request that has begun gets its 408; silence is nobody's."""
    for data, expected in ((b"GE", YES), (b"GET /", NO), (b"", NO)):
        preface = Preface(data)
        preface.final = True
        assert Default().match(preface) is expected


def test_silence() -> None:
    preface = Preface()
    assert Silence(0.5).match(preface) is MORE
    preface.silent = 0.4999
    assert Silence(0.5).match(preface) is MORE
    preface.silent = 0.5
    assert Silence(0.5).match(preface) is YES
    preface.add(b"x")
    assert Silence(0.5).match(preface) is NO


def test_a_connection_that_was_handed_back_may_be_silent() -> None:
    preface = Preface(returned=True)
    preface.silent = 9.0
    assert Silence(0.5).match(preface) is NO


def test_silence_that_ends_before_its_time() -> None:
    preface = Preface()
    preface.silent, preface.final = 0.1, True
    assert Silence(0.5).match(preface) is NO


def test_tls_that_ended_here() -> None:
    facts = TlsFacts(b"a.example.org", (b"http/1.1",))
    assert judged(Tls(names("a.example.org")), request(), tls=facts) is YES
    assert judged(Tls(names("b.example.org")), request(), tls=facts) is NO
    assert judged(Tls(alpn=frozenset([b"h2"])), b"", tls=facts) is NO


def test_a_target_without_meaning() -> None:
    for matcher in (Prefix(b"/"), Path(b"/"), Not(Path(b"/"))):
        with pytest.raises(BadTarget):
            judged(matcher, request(b"/.."))
    with pytest.raises(BadTarget):
        judged(Host(names("a")), request(b"/", b"Host: a", b"Host: b"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("EHLO ", b"EHLO "),
        (r"\x16\x03", b"\x16\x03"),
        (r"a\r\n\t\0\\x41", b"a\r\n\t\0\\x41"),
        ("ü", b"\xc3\xbc"),
        (r"\xfF", b"\xff"),
    ],
)
def test_escapes(text: str, expected: bytes) -> None:
    assert unescape(text) == expected


@pytest.mark.parametrize("text", ["\\", r"\q", r"\x1", r"a\xg0", "b\\"])
def test_bad_escapes(text: str) -> None:
    with pytest.raises(ValueError, match="backslash"):
        unescape(text)
