"""Why a connection goes where it goes, in plain lines."""

from portico.core.clienthello import TlsFacts, make_hello
from portico.core.explain import explain
from portico.core.matchers import Bytes, Header, Host, Not, Silence, Ssh, Tls
from portico.core.names import Names
from portico.core.preface import Preface
from portico.core.rule import Rule
from portico.core.table import RouteTable

HOST = Host(Names.of(["x.org"]))
TABLE = RouteTable(
    [
        Rule("web", 0, "/", ()),
        Rule("x", 1, "/a/", (HOST,)),
        Rule("blue", 2, "/a/", (HOST, Header(b"x-env", b"blue"))),
        Rule("one", 3, "=/a/b", ()),
        Rule("ssh", 4, None, (Ssh(),)),
        Rule("tls", 5, None, (Tls(Names.of(["s.org"])),)),
        Rule("mail", 6, None, (Silence(0.5),)),
        Rule("rest", 7, default=True),
    ]
)


def get(target: bytes, *fields: bytes) -> Preface:
    return Preface(b"GET %s HTTP/1.1\r\n%s\r\n" % (target, b"".join(field + b"\r\n" for field in fields)))


def test_the_winner_and_each_other_one() -> None:
    assert explain(TABLE, get(b"/a/c", b"Host: x.org", b"X-Env: red")) == [
        "x: routes[1] (prefix /a/, host x.org) wins",
        "  not routes[4] (ssh) to ssh: ssh: not an SSH identification",
        "  not routes[5] (tls sni s.org) to tls: tls sni s.org: not a TLS ClientHello",
        "  not routes[6] (silence 0.5) to mail: silence 0.5: the client spoke",
        "  not routes[3] (path /a/b) to one: the path is /a/c",
        "  not routes[2] (prefix /a/, host x.org, header x-env = blue) to blue: header x-env = blue: x-env is red",
        "  not routes[0] (prefix /) to web: it matches too, and comes after the one that wins",
        "  not routes[7] (default) to rest: another route matches",
    ]


def reason(preface: Preface, number: int) -> str:
    (line,) = (line for line in explain(TABLE, preface) if line.startswith(f"  not routes[{number}] "))
    return line.rpartition(") to ")[2].partition(": ")[2]


def test_reasons() -> None:
    assert reason(get(b"/a", b"Host: y.org"), 1) == "host x.org: host is y.org"
    assert reason(get(b"/a"), 1) == "host x.org: no host is named"
    assert reason(get(b"/a", b"Host: x.org"), 2) == "header x-env = blue: there is no x-env"
    assert reason(get(b"/ab"), 1) == "the path is /ab"
    assert reason(get(b"/a/b/"), 3) == "the path is /a/b/"
    assert reason(get(b"/a", b"Host: x.org", b"Host: y"), 1) == "the request is refused: more than one Host"
    assert reason(get(b"/.."), 0) == "the request is refused: the path climbs above the root"
    assert reason(get(b"/.."), 7) == "a request that is refused"


def test_without_a_request() -> None:
    hello = make_hello(TlsFacts(b"t.org", (b"h2",)))
    assert explain(TABLE, Preface(hello))[0] == "rest: routes[7] (default) wins"
    assert reason(Preface(hello), 5) == "tls sni s.org: SNI is t.org, ALPN is h2"
    assert reason(Preface(hello), 0) == "not HTTP"
    assert reason(Preface(b"SS"), 4) == "ssh: needs more"
    assert reason(Preface(b"SS"), 7) == "it is asked last"
    assert reason(Preface(b"GET / HTTP/1.1\n"), 0) == "not a sound request"
    assert reason(Preface(), 0) == "no request has come yet"


def test_silence() -> None:
    preface = Preface()
    preface.silent = 0.1
    assert explain(TABLE, preface)[0] == "undecided: needs more bytes, or 0.5 s of silence"
    preface.silent = 0.5
    assert explain(TABLE, preface)[0] == "mail: routes[6] (silence 0.5) wins"


def test_a_connection_that_was_handed_back() -> None:
    preface = get(b"/x")
    preface.returned = True
    assert reason(preface, 4) == "the connection is not at its beginning"


def test_one_that_waits_for_those_before_it() -> None:
    table = RouteTable([Rule("long", 0, None, (Bytes(b"ab"), Not(Ssh()))), Rule("short", 1, None, (Bytes(b"a"),))])
    assert explain(table, Preface(b"a")) == [
        "undecided: needs more bytes",
        "  not routes[0] (bytes b'ab', not(ssh)) to long: bytes b'ab': needs more",
        "  not routes[1] (bytes b'a') to short: it matches, and waits for those before it",
    ]
