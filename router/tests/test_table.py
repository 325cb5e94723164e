"""Which route a connection belongs to: paths, the order of conditions, the default, and what makes no table."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from portico.core.answers import (
    BAD_HOST,
    BAD_REQUEST,
    HEAD_TIMEOUT,
    HEAD_TOO_LARGE,
    NO_ROUTE,
    NOT_HTTP,
    SILENT,
    VERSION,
    Answer,
)
from portico.core.matchers import Bytes, Header, Not, Ssh, Tls
from portico.core.preface import Preface
from portico.core.table import Wait
from portico.core.verdict import MORE, YES, Verdict
from svckit.paths import normalise
from svckit.routemap import RouteMap

from .support.tables import PLAIN, Spec, decided, get, host, method, table, whole


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (b"/", "root"),
        (b"/?x", "root"),
        (b"/static", "static"),
        (b"/static/", "static"),
        (b"/static/a", "one"),
        (b"/static/a/", "static"),
        (b"/static/a/b", "deep"),
        (b"/static/a/b/c", "deep"),
        (b"/static/a/bc", "static"),
        (b"/staticx", NO_ROUTE),
        (b"/ws/x", "ws"),
        (b"/x/../ws", "ws"),
        (b"http://h/ws", "ws"),
        (b"*", NO_ROUTE),
        (b"/..", BAD_REQUEST),
        (b"/%zz", BAD_REQUEST),
        (b"host:443", BAD_REQUEST),
    ],
)
def test_paths(target: bytes, expected: str | Answer) -> None:
    assert decided(PLAIN, get(target)) == expected


@pytest.mark.parametrize(
    ("data", "expected", "at_last"),
    [
        (b"", Wait(), SILENT),
        (b"G", Wait(), HEAD_TIMEOUT),
        (get(b"/")[:-1], Wait(), HEAD_TIMEOUT),
        (b"\x16", NOT_HTTP, NOT_HTTP),
        (b"GET / HTTP/1.1\n", BAD_REQUEST, BAD_REQUEST),
        (b"PRI * HTTP/2.0\r\n\r\n", VERSION, VERSION),
        (b"GET / HTTP/1.1\r\nA: " + b"b" * 20_000, HEAD_TOO_LARGE, HEAD_TOO_LARGE),
    ],
)
def test_without_a_request(data: bytes, expected: Answer, at_last: Answer) -> None:
    assert whole(PLAIN, data) == expected
    assert whole(PLAIN, data, final=True) == at_last


@given(
    st.lists(st.tuples(st.booleans(), st.lists(st.sampled_from("abc"), max_size=3)), max_size=8),
    st.lists(st.sampled_from("abc"), max_size=4),
)
def test_a_plain_table_finds_what_a_route_map_finds(patterns: list[tuple[bool, list[str]]], path: list[str]) -> None:
    """And so does a table that takes the way through conditions."""
    texts = {("=" if exact else "") + "/" + "/".join(segments) for exact, segments in patterns}
    specs = [(text, text, ()) for text in sorted(texts)]
    plain, other = table(*specs), table(*specs, ("ssh", None, (Ssh(),)))
    assert plain.plain
    assert not other.plain
    target = ("/" + "/".join(path)).encode()
    expected = RouteMap((text, text) for text in texts).find(normalise(target))
    rule = plain.find(normalise(target))
    assert (rule and rule.service) == expected
    for routes in (plain, other):
        assert whole(routes, get(target)) == (expected or NO_ROUTE)


# -- conditions


def test_conditions_at_one_pattern() -> None:
    """More conditions first, then the order of the file, then without any; and where none fits, the shorter prefix."""
    routes = table(
        ("plain", "/a/", ()),
        ("x", "/a/", (host("x.org"),)),
        ("second", "/a/", (host("x.org"), Header(b"b"))),
        ("first", "/a/", (host("x.org"), Header(b"a"))),
        ("long", "/a/b/", (host("y.org"),)),
        ("exact", "=/a/b/c", (method(b"POST"),)),
        ("root", "/", (host("y.org"),)),
    )
    assert decided(routes, get(b"/a/z")) == "plain"
    assert decided(routes, get(b"/a/z", b"Host: x.org")) == "x"
    assert decided(routes, get(b"/a/z", b"Host: x.org", b"A: 1")) == "first"
    assert decided(routes, get(b"/a/z", b"Host: x.org", b"A: 1", b"B: 1")) == "second"
    assert decided(routes, get(b"/a/z", b"A: 1")) == "plain"
    assert decided(routes, get(b"/a/b/z", b"Host: y.org")) == "long"
    assert decided(routes, get(b"/a/b/z", b"Host: z.org")) == "plain"
    assert decided(routes, get(b"/a/b/z", b"Host: x.org")) == "x"
    assert decided(routes, get(b"/a/b/c", b"Host: y.org")) == "long"
    assert decided(routes, get(b"/a/b/c", b"Host: y.org").replace(b"GET", b"POST")) == "exact"
    assert decided(routes, get(b"/z", b"Host: y.org")) == "root"
    assert decided(routes, get(b"/z")) == NO_ROUTE


def test_the_order_is_the_same_however_the_file_is_written() -> None:
    specs: list[Spec] = [
        ("ssh", None, (Ssh(),)),
        ("both", None, (Tls(), Not(Bytes(b"\x17")))),
        ("exact", "=/a", ()),
        ("long", "/a/b", ()),
        ("short with", "/a", (host("x"), method(b"GET"))),
        ("short", "/a", (host("x"),)),
        ("default", "default", ()),
    ]
    expected = ["both", "ssh", "exact", "long", "short with", "short", "default"]
    for shown in (specs, specs[::-1], specs[3:] + specs[:3]):
        assert [rule.service for rule in table(*shown).rules] == expected


def test_an_ambiguous_host_is_refused() -> None:
    twice = get(b"/a", b"Host: x.org", b"Host: y.org")
    assert decided(table(("x", "/a", (host("x.org"),)), ("all", "/", ())), twice) == BAD_HOST
    assert decided(table(("x", "/a", ()), ("y", "/b", (host("x.org"),))), twice) == BAD_HOST


@dataclass(frozen=True)
class Says:
    verdict: Verdict
    http = True
    delays = ()

    def match(self, preface: Preface) -> Verdict:
        return self.verdict

    def saw(self, preface: Preface) -> str:
        return ""


def test_a_shorter_prefix_waits_while_a_longer_one_is_undecided() -> None:
    routes = table(("short", "/a", ()), ("long", "/a/b", (Says(MORE),)))
    assert whole(routes, get(b"/a/b/c")) == Wait()
    assert whole(routes, get(b"/a/c")) == "short"
    assert whole(table(("short", "/a", (Says(MORE),)), ("long", "/a/b", (Says(YES),))), get(b"/a/b/c")) == "long"


# -- the default


def test_the_default_takes_what_nobody_matches() -> None:
    routes = table(("web", "/web/", (host("a.org"),)), ("ssh", None, (Ssh(),)), ("rest", "default", ()))
    assert decided(routes, get(b"/web/x", b"Host: a.org")) == "web"
    assert decided(routes, get(b"/web/x")) == "rest"
    assert decided(routes, get(b"*")) == "rest"
    assert decided(routes, b"\x16\x03\x01") == "rest"
    assert decided(routes, b"EHLO x\r\n") == "rest"
    assert decided(routes, b"SSH-2.0-x") == "ssh"
    assert decided(routes, get(b"/..")) == BAD_REQUEST
    assert decided(routes, b"GET / HTTP/1.1\n") == BAD_REQUEST
    assert whole(routes, b"SSH") == Wait()
    assert whole(routes, b"SSH", final=True) == "rest"
    assert whole(routes, b"GET /x", final=True) == HEAD_TIMEOUT
    assert whole(routes, b"", final=True) == SILENT


def test_the_default_in_a_plain_table() -> None:
    routes = table(("a", "/a", ()), ("rest", "default", ()))
    assert routes.plain
    assert routes.find(b"/b") is None
    assert routes.default is not None
    assert decided(routes, get(b"/b")) == "rest"
    assert decided(routes, b"\x16") == "rest"


# -- what makes no table


@pytest.mark.parametrize(
    ("specs", "why"),
    [
        ([("a", "/a/", ()), ("b", "/a", ())], "'/a/?' stands there twice"),
        ([("a", "=/a", ()), ("a", "=/a", ())], "'=/a' stands there twice"),
        ([("a", None, (Ssh(),)), ("b", None, (Ssh(),))], "'ssh' stands there twice"),
        ([("a", "/a", (host("x"), method(b"GET"))), ("b", "/a", (method(b"GET"), host("X")))], "stands there twice"),
        ([("a", "default", ()), ("b", "default", ())], "'default' stands there twice"),
    ],
)
def test_doubles(specs: list[Spec], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        table(*specs)


def test_what_only_looks_like_a_double() -> None:
    assert len(table(("a", "/a", ()), ("b", "=/a", ()), ("c", "/a", (host("x"),))).rules) == 3
