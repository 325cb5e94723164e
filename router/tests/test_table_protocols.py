"""Routes below HTTP: who is asked before a request is there, and who waits for whom."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from portico.core.answers import BAD_REQUEST, HEAD_TIMEOUT, NOT_HTTP, SILENT, Answer
from portico.core.clienthello import TlsFacts, make_hello
from portico.core.matchers import Bytes, Not, Pattern, Silence, Ssh, Tls
from portico.core.names import Names
from portico.core.preface import Preface
from portico.core.table import Wait

from .support.tables import PLAIN, ask, decided, get, table, whole

HELLO = make_hello(TlsFacts(b"a.org", (b"h2",)))
MIXED = table(
    ("web", "/", ()),
    ("ssh", None, (Ssh(),)),
    ("tls", None, (Tls(Names.of(["a.org"])),)),
    ("mail", None, (Silence(0.5),)),
    ("late", None, (Silence(2.0), Not(Ssh()))),
    ("raw", None, (Pattern(re.compile(rb"[A-Z]{4} x"), 8),)),
)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (get(b"/x"), "web"),
        (b"SSH-2.0-x\r\n", "ssh"),
        (HELLO, "tls"),
        (make_hello(TlsFacts(b"b.org", ())), NOT_HTTP),
        (b"EHLO x", "raw"),
        (b"PUT / HTTP/1.1\r\nHost: h\r\n\r\n", "web"),
        (b"\0\0\0\0\0\0\0\0", NOT_HTTP),
        (b"GET / HTTP/1.1\nx", BAD_REQUEST),
    ],
)
def test_protocols_beside_http(data: bytes, expected: str | Answer) -> None:
    assert decided(MIXED, data) == expected


LIKELY = [
    b"SSH-",
    b"2.0-",
    b"GET ",
    b"/x",
    b" HTTP/1.1",
    b"\r\n",
    b"\n",
    b"Host: a\r\n",
    b"EHLO ",
    b"x",
    b"\0",
    HELLO[:9],
    HELLO[9:],
]


@given(st.lists(st.sampled_from(LIKELY), max_size=8).map(b"".join), st.lists(st.integers(1, 30), max_size=12))
def test_pieces_do_not_change_who_gets_a_connection(data: bytes, sizes: list[int]) -> None:
    expected, preface, at = whole(MIXED, data), Preface(), 0
    for size in (*sizes, len(data)):
        preface.add(data[at : at + size])
        at += size
        found = ask(MIXED, preface)
        if not isinstance(found, Wait):
            assert found == expected
            return
    assert found == expected


def test_who_is_undecided_holds_up_whoever_comes_later() -> None:
    routes = table(("long", None, (Bytes(b"abcd"), Not(Ssh()))), ("short", None, (Bytes(b"ab"),)), ("rest", "default", ()))
    assert whole(routes, b"ab") == Wait()
    assert whole(routes, b"ab", final=True) == "short"
    assert whole(routes, b"abc") == Wait()
    assert whole(routes, b"abx") == "short"
    assert whole(routes, b"abcd") == "long"
    assert whole(routes, b"a\0") == "rest"


def test_a_whole_request_is_not_held_up() -> None:
    routes = table(("raw", None, (Pattern(re.compile(rb"GET .*secret", re.DOTALL), 4_000),)), ("web", "/", ()))
    assert whole(routes, get(b"/x")) == "web"
    assert whole(routes, get(b"/secret")) == "raw"
    assert whole(routes, get(b"/x")[:-2]) == Wait()


def test_silence_is_a_deadline_of_its_own() -> None:
    preface = Preface()
    assert ask(MIXED, preface) == Wait(0.5)
    preface.silent = 0.3
    assert ask(MIXED, preface) == Wait(0.5)
    preface.silent = 0.5
    assert ask(MIXED, preface) == "mail"
    assert MIXED.shortest_silence == 0.5
    assert PLAIN.shortest_silence is None


def test_the_next_silence() -> None:
    routes = table(("a", None, (Silence(0.5), Tls())), ("b", None, (Silence(2.0),)), ("c", "/", ()))
    preface = Preface()
    preface.silent = 0.5
    assert ask(routes, preface) == Wait(2.0)
    preface.silent = 2.0
    assert ask(routes, preface) == "b"


def test_no_more_silence_after_a_byte() -> None:
    assert whole(MIXED, b"S") == Wait()
    preface = Preface(b"S")
    preface.silent = 9.0
    assert ask(MIXED, preface) == Wait()


def test_silence_at_the_clients_end() -> None:
    assert whole(MIXED, b"", final=True) == SILENT


def test_what_is_undecided_at_the_deadline_is_not_there() -> None:
    assert whole(MIXED, b"SSH-2", final=True) == NOT_HTTP
    assert whole(MIXED, HELLO[:-1], final=True) == NOT_HTTP
    assert whole(MIXED, b"GET /", final=True) == HEAD_TIMEOUT


def test_a_connection_that_was_handed_back_is_not_at_its_beginning() -> None:
    routes = table(
        ("raw", None, (Bytes(b"GET /x"),)), ("not", None, (Not(Ssh()),)), ("web", "/", ()), ("q", None, (Silence(1.0),))
    )
    assert whole(routes, get(b"/x")) == "raw"
    assert ask(routes, Preface(get(b"/x"), returned=True)) == "web"
    idle = Preface(returned=True)
    idle.silent = 5.0
    assert ask(routes, idle) == Wait()


def test_what_tls_has_told_holds_for_the_whole_connection() -> None:
    routes = table(("tls", None, (Tls(Names.of(["a.org"])),)), ("web", "/", ()), ("h2", "/h2", (Tls(alpn=frozenset([b"h2"])),)))
    for returned in (False, True):
        for name, expected in ((b"a.org", "tls"), (b"b.org", "h2")):
            facts = TlsFacts(name, (b"h2",))
            assert ask(routes, Preface(get(b"/h2/x"), tls=facts, returned=returned)) == expected
        assert ask(routes, Preface(get(b"/h2/x"), returned=returned)) == "web"
