"""Which route a connection belongs to: the order, who waits for whom, and what the services' guards are told."""

import re
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
from portico.core.clienthello import TlsFacts, make_hello
from portico.core.matchers import Bytes, Header, Host, Matcher, Method, Not, Pattern, Silence, Ssh, Tls
from portico.core.names import Names
from portico.core.preface import Preface
from portico.core.rule import Rule
from portico.core.table import RouteTable, Wait
from portico.core.verdict import MORE, YES, Verdict
from svckit.lease import Ownership
from svckit.paths import normalise
from svckit.routemap import RouteMap

Spec = tuple[str, str | None, tuple[Matcher, ...]]
"""Service, pattern, conditions."""


def table(*specs: Spec) -> RouteTable[str]:
    return RouteTable(
        Rule(service, number, None if pattern == "default" else pattern, conditions, default=pattern == "default")
        for number, (service, pattern, conditions) in enumerate(specs)
    )


def host(name: str) -> Host:
    return Host(Names.of([name]))


def method(name: bytes) -> Method:
    return Method(frozenset([name]))


def get(target: bytes, *fields: bytes) -> bytes:
    return b"GET %s HTTP/1.0\r\n%s\r\n" % (target, b"".join(field + b"\r\n" for field in fields))  # needs no Host


def ask(routes: RouteTable[str], preface: Preface) -> str | Wait | Answer:
    decision = routes.decide(preface)
    return decision.service if isinstance(decision, Rule) else decision


def whole(routes: RouteTable[str], data: bytes, final: bool = False) -> str | Wait | Answer:
    preface = Preface(data)
    preface.final = final
    return ask(routes, preface)


def decided(routes: RouteTable[str], data: bytes) -> str | Wait | Answer:
    """The decision: the same whole, byte by byte and with trailing bytes."""
    found = whole(routes, data)
    assert whole(routes, data + b"\0trailing") == found
    preface = Preface()
    for at in range(len(data)):
        preface.add(data[at : at + 1])
        early = ask(routes, preface)
        if not isinstance(early, Wait):
            assert early == found
            break
    else:
        assert early == found
    return found


PLAIN = table(
    ("root", "=/", ()),
    ("static", "/static/", ()),
    ("deep", "/static/a/b/", ()),
    ("one", "=/static/a", ()),
    ("ws", "/ws", ()),
)


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


# -- below HTTP

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


# -- the guards of the services


def test_patterns_of_a_plain_table_are_those_of_the_file() -> None:
    assert PLAIN.patterns_for("static") == (
        ("=/", False),
        ("/static/", True),
        ("/static/a/b/", False),
        ("=/static/a", False),
        ("/ws", False),
    )


@pytest.mark.parametrize(
    ("specs", "expected"),
    [
        # with a condition nobody knows
        ([("me", "/a", (host("x"),))], {"/a": False}),
        ([("me", "/a", (host("x"),)), ("you", "/a", ())], {"/a": False}),
        ([("you", "/a", (host("x"),)), ("me", "/a", ())], {"/a": False}),
        # but where every way leads here
        ([("me", "/a", (host("x"),)), ("me", "/a", ())], {"/a": True}),
        ([("me", "/a", (host("x"),)), ("me", "/", ())], {"/a": True, "/": True}),
        ([("me", "/a", (host("x"),)), ("you", "/", ())], {"/a": False, "/": False}),
        ([("me", "=/a", (method(b"POST"),)), ("me", "/a", ()), ("you", "/", ())], {"=/a": True, "/a": True, "/": False}),
        # the default is like a prefix for everything
        ([("you", "/a", ()), ("me", "default", ())], {"/a": False, "/": True}),
        ([("me", "/a", (host("x"),)), ("me", "default", ())], {"/a": True, "/": True}),
        ([("you", "/", (host("x"),)), ("me", "default", ())], {"/": False}),
        ([("me", "/a", ()), ("you", "default", ())], {"/a": True, "/": False}),
        # what is below HTTP has no pattern
        ([("me", None, (Ssh(),)), ("you", "/a", ())], {"/a": False}),
    ],
)
def test_patterns_with_conditions(specs: list[Spec], expected: dict[str, bool]) -> None:
    assert dict(table(*specs).patterns_for("me")) == expected


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["me", "you"]),
            st.sampled_from(["/", "/a", "/a/b", "=/a", "=/a/b", "=/", "default"]),
            st.sampled_from([(), (host("x"),), (method(b"POST"),), (host("x"), method(b"POST"))]),
        ),
        max_size=8,
        unique_by=lambda spec: spec[1:] if spec[1] != "default" else "default",
    ),
    st.sampled_from([b"/", b"/a", b"/a/", b"/a/b", b"/a/b/c", b"/c", b"*"]),
    st.booleans(),
    st.booleans(),
)
def test_a_guard_never_keeps_what_the_router_would_send_elsewhere(
    specs: list[Spec], target: bytes, named: bool, posted: bool
) -> None:
    routes = table(*[(service, pattern, () if pattern == "default" else tests) for service, pattern, tests in specs])
    data = get(target, *([b"Host: x"] if named else []))
    found = ask(routes, Preface(data.replace(b"GET", b"POST") if posted else data))
    if Ownership(routes.patterns_for("me")).owns(target):
        assert found == "me"
