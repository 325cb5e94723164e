"""Routes as the file writes them: what becomes of each, and what each error says."""

import re

import pytest
from portico.config import BadConfig, Route, parse
from portico.core.matchers import All, Any, Bytes, Header, Host, Method, Not, Path, Pattern, Prefix, Silence, Ssh, Tls
from portico.core.matchers.bytes_ import LARGEST_WITHIN
from portico.core.names import Names
from portico.core.rule import Rule
from portico.redirect import Redirect
from portico.routes import ALTERNATIVES

SERVICES = """
[[listeners]]
address = "127.0.0.1:0"
[services]
a = { target = "handoff" }
b = { target = "handoff" }
"""


def rules(text: str) -> list[Rule[str | Redirect]]:
    """The rules of one route, written without its service."""
    config = parse(f'{SERVICES}[[routes]]\nservice = "a"\n{text}')
    return list(config.table({"a": "a", "b": "b"}).rules)


def rule(text: str) -> Rule[str | Redirect]:
    (found,) = rules(text)
    return found


@pytest.mark.parametrize(
    ("text", "pattern", "conditions"),
    [
        ('prefix = "/x/"', "/x/", ()),
        ('path = "/x"', "=/x", ()),
        ('host = "a.org"', "/", (Host(Names.of(["a.org"])),)),
        ('prefix = "/x"\nhost = ["a.org", "*.b.org"]', "/x", (Host(Names.of(["a.org", "*.b.org"])),)),
        ('method = ["GET", "HEAD"]', "/", (Method(frozenset([b"GET", b"HEAD"])),)),
        ('method = "GET"', "/", (Method(frozenset([b"GET"])),)),
        ('header = { X-Env = "blue" }', "/", (Header(b"x-env", b"blue"),)),
        ("header = { A = true, B = true }", "/", (Header(b"a"), Header(b"b"))),
        ("header = { A = { regex = '^v\\d' } }", "/", (Header(b"a", re.compile(rb"^v\d")),)),
        ("tls = {}", None, (Tls(),)),
        ('tls = { sni = "a.org" }', None, (Tls(Names.of(["a.org"])),)),
        ('tls = { sni = ["a.org"], alpn = ["h2", "x"] }', None, (Tls(Names.of(["a.org"])), Tls(alpn=frozenset([b"h2", b"x"])))),
        ('prefix = "/x"\ntls = { alpn = "h2" }', "/x", (Tls(alpn=frozenset([b"h2"])),)),
        ("ssh = true", None, (Ssh(),)),
        ("bytes = 'EHLO '", None, (Bytes(b"EHLO "),)),
        (r"bytes = '\x00\r\n'", None, (Bytes(b"\x00\r\n"),)),
        ('bytes = { hex = "00 ff" }', None, (Bytes(b"\x00\xff"),)),
        ("bytes = { regex = '(?i)ehlo' }", None, (Pattern(re.compile(b"(?i)ehlo"), 64),)),
        ("bytes = { regex = 'a', within = 9 }", None, (Pattern(re.compile(b"a"), 9),)),
        ("silence = 0.5", None, (Silence(0.5),)),
        ("silence = 2", None, (Silence(2.0),)),
        ("not = { ssh = true }", None, (Not(Ssh()),)),
        ('not = { method = "GET" }', "/", (Not(Method(frozenset([b"GET"]))),)),
        ('not = { prefix = "/x", ssh = true }', "/", (Not(All((Prefix(b"/x"), Ssh()))),)),
        ('not = { any = [ { path = "/x" }, { ssh = true } ] }', "/", (Not(Any((Path(b"/x"), Ssh()))),)),
        ('not = { all = [ { path = "/x" }, { ssh = true } ] }', "/", (Not(All((Path(b"/x"), Ssh()))),)),
        ('not = { not = { path = "/x" } }', "/", (Not(Not(Path(b"/x"))),)),
        ('all = [ { prefix = "/x" }, { method = "GET" } ]', "/x", (Method(frozenset([b"GET"])),)),
        ('prefix = "/x"\nall = [ { prefix = "/x/y" }, { path = "/x/y/z" } ]', "=/x/y/z", (Prefix(b"/x"), Prefix(b"/x/y"))),
        ('prefix = "/x"\nall = [ { prefix = "/x/y" } ]', "/x/y", (Prefix(b"/x"),)),
    ],
)
def test_one_rule(text: str, pattern: str | None, conditions: tuple[object, ...]) -> None:
    found = rule(text)
    assert (found.service, found.number, found.default) == ("a", 0, False)
    assert found.pattern == pattern
    assert found.conditions == conditions


def test_the_default() -> None:
    found = rule("default = true")
    assert (found.default, found.pattern, found.conditions) == (True, None, ())


def test_any_makes_several_rules() -> None:
    found = rules('any = [ { prefix = "/x" }, { path = "/y" }, { ssh = true } ]')
    assert [(each.pattern, each.conditions) for each in found] == [(None, (Ssh(),)), ("=/y", ()), ("/x", ())]
    assert {(each.service, each.number) for each in found} == {("a", 0)}


def test_any_beside_other_conditions() -> None:
    found = rules('prefix = "/x"\nany = [ { host = "a" }, { all = [ { method = "GET" }, { any = [ { ssh = true } ] } ] } ]')
    assert [(each.pattern, each.conditions) for each in found] == [
        ("/x", (Method(frozenset([b"GET"])), Ssh())),
        ("/x", (Host(Names.of(["a"])),)),
    ]


def test_as_many_alternatives_as_there_may_be() -> None:
    def any_of(count: int) -> str:
        return "any = [ " + ", ".join(f'{{ path = "/{number}" }}' for number in range(count)) + " ]"

    assert len(rules(any_of(ALTERNATIVES))) == ALTERNATIVES
    for text in (any_of(ALTERNATIVES + 1), f"{any_of(8)}\nall = [ {{ {any_of(9)} }} ]"):
        with pytest.raises(BadConfig, match=r"routes\[0\]: expected at most 64 alternatives"):
            rules(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "routes[0]: expected either `prefix` or `path`, or another condition"),
        ('prefix = "/x"\npath = "/y"', "routes[0]: expected either `prefix` or `path`"),
        ('prefix = "x"', "routes[0]: 'x': a prefix starts with a slash"),
        ('prefix = "/a//b"', "routes[0].prefix: expected the normal form '/a/b', found '/a//b'"),
        ('path = "/a?b"', "routes[0].path: expected the normal form '/a', found '/a?b'"),
        ('prefix = "/%61"', "routes[0].prefix: expected the normal form '/a', found '/%61'"),
        ('prefix = "/.."', "routes[0].prefix: expected a path, found '/..'"),
        ('host = "a.org:80"', "routes[0].host: expected a host name"),
        ("host = []", "routes[0].host: expected at least one"),
        ('host = ""', "routes[0].host: expected at least one"),
        ('method = ["GET /"]', "routes[0].method: expected a name without blanks"),
        ("method = []", "routes[0].method: expected at least one"),
        ("header = {}", "routes[0].header: expected at least one field"),
        ("header = { A = false }", "routes[0].header.A: expected `true`"),
        ('header = { "A b" = true }', "routes[0].header.A b: expected the name of a header field"),
        ("header = { A = { regex = '(' } }", "routes[0].header.A.regex: expected a regular expression"),
        ('tls = { sni = "a b" }', "routes[0].tls.sni: expected a host name"),
        ("tls = { alpn = [] }", "routes[0].tls.alpn: expected at least one"),
        ("ssh = false", "routes[0].ssh: expected `true`"),
        ("default = false", "routes[0].default: expected `true`"),
        ('default = true\nprefix = "/"', "routes[0]: expected no other condition beside `default`"),
        ("bytes = ''", "routes[0].bytes: expected 1 to 4096 bytes, found 0"),
        (r"bytes = '\q'", "routes[0].bytes: expected \\xNN"),
        (f'bytes = {{ hex = "{"00" * (LARGEST_WITHIN + 1)}" }}', "routes[0].bytes: expected 1 to 4096 bytes, found 4097"),
        ('bytes = { hex = "0" }', "routes[0].bytes.hex: expected pairs of digits"),
        ("bytes = {}", "routes[0].bytes: expected a text, or a table with either `hex` or `regex`"),
        ('bytes = { hex = "00", regex = "a" }', "routes[0].bytes: expected a text, or a table"),
        ('bytes = { hex = "00", within = 3 }', "routes[0].bytes.within: expected only beside `regex`"),
        ('bytes = { regex = "[" }', "routes[0].bytes.regex: expected a regular expression"),
        ('bytes = { regex = "a*" }', "routes[0].bytes.regex: expected an expression that needs at least one byte"),
        (f'bytes = {{ regex = "a", within = {LARGEST_WITHIN + 1} }}', "within"),
        ("silence = 0", "silence"),
        ("silence = 10", "routes[0]: expected `silence` to be shorter than limits.head_deadline (10), found 10"),
        ("any = []", "routes[0].any: expected at least one condition"),
        ("all = []", "routes[0].all: expected at least one condition"),
        ("not = {}", "routes[0].not: expected either `prefix` or `path`, or another condition"),
        ('any = [ { prefix = "/a" }, { host = "a:1" } ]', "routes[0].any[1].host: expected a host name"),
        ('all = [ { any = [ { path = "x" } ] } ]', "routes[0].all[0].any[0]: "),
        ('not = { all = [ { path = "/a/../b" } ] }', "routes[0].not.all[0].path: expected the normal form '/b'"),
        ("not = { any = [ { silence = 11 } ] }", "expected `silence` to be shorter"),
        ('any = [ { prefix = "/a" }, { prefix = "/a/" } ]', "stands there twice"),
        ('hosts = "a"', "hosts"),
        ('not = { service = "b" }', "service"),
        ("any = [ { default = true } ]", "default"),
        ("prefix = 5", "prefix"),
    ],
)
def test_errors_say_where_and_what(text: str, says: str) -> None:
    with pytest.raises(BadConfig) as caught:
        rules(text)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_service() -> None:
    with pytest.raises(BadConfig, match=r"routes\[0\]\.service: expected one of the services \(a, b\), found 'c'"):
        parse(f'{SERVICES}[[routes]]\nservice = "c"\nprefix = "/"')


def test_twice() -> None:
    route = '[[routes]]\nservice = "a"\nprefix = "/x/"\n'
    with pytest.raises(BadConfig, match=r"^routes: '/x/' stands there twice$"):
        parse(SERVICES + route * 2)
    with_host = route + 'host = "a"\n'
    with pytest.raises(BadConfig, match="routes: 'prefix /x/, host a' stands there twice"):
        parse(SERVICES + with_host * 2)
    assert len(parse(SERVICES + route + with_host).routes) == 2


def test_the_patterns_for_a_service() -> None:
    config = parse(f'{SERVICES}[[routes]]\nservice = "a"\nprefix = "/x/"\n[[routes]]\nservice = "b"\npath = "/"\nhost = "h"\n')
    assert config.patterns_for("a") == (("/x/", True), ("=/", False))
    assert config.patterns_for("b") == (("/x/", False), ("=/", False))


def test_a_routes_own_pattern() -> None:
    assert Route("a", prefix="/x/").pattern == "/x/"
    assert Route("a", path="/x").pattern == "=/x"
    assert Route("a", ssh=True).pattern == ""
