"""From plain to TLS: what is answered, whom it concerns, and that it leads to the host that was asked and nowhere else."""

import socket
import ssl
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from portico.application import Application
from portico.arrival import Arrival
from portico.config import BadConfig, Config, Limits, parse
from portico.core.answers import BAD_HOST, BAD_REQUEST, NO_ROUTE, Answer
from portico.core.clienthello import TlsFacts
from portico.core.explain import explain
from portico.core.head import read_head
from portico.core.preface import Preface
from portico.core.rule import Rule
from portico.redirect import Redirect
from portico.service import RoutedService

from .support.authority import write_pair
from .support.reactor import HandReactor
from .support.wires import Answers, Inbox, arrive, as_reactor, parse_response, tcp_pair

TLS = TlsFacts(b"h", (b"http/1.1",))


def answer_to(wire: bytes, text: str = "https") -> Answer:
    client, ours = tcp_pair()
    arrival = Arrival(ours, ("127.0.0.1", 1), ("127.0.0.1", 80), 0.0, wire)
    arrival.head = read_head(wire)
    found = Redirect.of(text).answer_to(arrival)
    client.close()
    ours.close()
    return found


def ask(target: bytes, *fields: bytes, method: bytes = b"GET", version: bytes = b"1.1") -> bytes:
    return b"%b %b HTTP/%b\r\n%b\r\n" % (method, target, version, b"".join(field + b"\r\n" for field in fields))


def leads_to(wire: bytes, text: str = "https") -> str | None:
    answer = answer_to(wire, text)
    response, body = parse_response(answer.wire)
    assert response.status == answer.status == 308
    assert response.headers["Connection"] == "close"
    assert response.headers["Cache-Control"] == "no-store"
    assert int(response.headers["Content-Length"]) == len(body)
    assert not response.headers.defects
    return response.headers["Location"]


@pytest.mark.parametrize(
    ("text", "host", "target", "location"),
    [
        ("https", b"a.org", b"/", "https://a.org/"),
        ("https", b"a.org", b"/x/y?z=1&%41", "https://a.org/x/y?z=1&%41"),
        ("https", b"A.Org.", b"/X", "https://a.org/X"),
        ("https", b"a.org:8080", b"/", "https://a.org/"),
        ("https", b" a.org \t", b"/", "https://a.org/"),
        ("https:443", b"a.org", b"/", "https://a.org/"),
        ("https:8443", b"a.org", b"/x", "https://a.org:8443/x"),
        ("https:8443", b"a.org:80", b"/x", "https://a.org:8443/x"),
        ("https", b"127.0.0.1:80", b"/", "https://127.0.0.1/"),
        ("https:8443", b"[::1]:80", b"/", "https://[::1]:8443/"),
        ("https", b"a.org", b"//evil.org/x", "https://a.org//evil.org/x"),
        ("https", b"a.org", b"/\\evil.org", "https://a.org/%5Cevil.org"),
        ("https", b"a.org", b"/<\"'>`{}|^", "https://a.org/%3C%22'%3E%60%7B%7D%7C%5E"),
        ("https", b"a.org", "/ä".encode(), "https://a.org/%C3%A4"),
        ("https", b"a.org", b"/%0d%0aSet-Cookie:%20a=b", "https://a.org/%0d%0aSet-Cookie:%20a=b"),
        ("https", b"a.org", b"http://a.org/x?y", "https://a.org/x?y"),
        ("https", b"a.org", b"HTTP://A.org:80/x", "https://a.org/x"),
        ("https", b"a.org", b"http://a.org", "https://a.org/"),
        ("https", b"a.org", b"http://a.org?y", "https://a.org/?y"),
        ("https", b"a.org", b"http://a.org//evil.org", "https://a.org//evil.org"),
    ],
)
def test_where_it_leads(text: str, host: bytes, target: bytes, location: str) -> None:
    assert leads_to(ask(target, b"Host:" + host), text) == location


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"POST", b"DELETE", b"OPTIONS"])
def test_whatever_the_method(method: bytes) -> None:
    assert leads_to(ask(b"/x", b"Host: h", b"Content-Length: 3", method=method) + b"abc") == "https://h/x"


@pytest.mark.parametrize(
    "fields",
    [
        (),
        (b"Host:",),
        (b"Host: a.org", b"Host: a.org"),
        (b"Host: a.org", b"Host: evil.org"),
        (b"Host: a.org, evil.org",),
        (b"Host: a.org/evil",),
        (b"Host: user@evil.org",),
        (b"Host: a.org evil.org",),
        (b"Host: a.org\tX: y",),
        (b"Host: a.org?",),
        (b"Host: a.org#",),
        (b"Host: a.org\\evil",),
        (b"Host: a.org:80x",),
        (b"Host: a.org:80:80",),
        (b"Host: :80",),
        (b"Host: [a.org]",),
        (b"Host: [::1",),
        (b"Host: a%0d%0ab",),
        (b'Host: a"b',),
        (b"Host: a<b",),
        ("Host: ä.org".encode(),),
        (b"X-Forwarded-Host: a.org",),
    ],
)
def test_no_host_in_one_sound_way(fields: tuple[bytes, ...]) -> None:
    assert answer_to(ask(b"/", *fields)) is BAD_HOST


@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
def test_the_host_field_is_what_counts(version: bytes) -> None:
    assert answer_to(ask(b"http://evil.org/", version=version)) is BAD_HOST
    assert answer_to(ask(b"http://evil.org/", b"Host: a.org", version=version)) is BAD_HOST
    assert answer_to(ask(b"http://a.org@evil.org/", b"Host: a.org", version=version)) is BAD_HOST
    assert answer_to(ask(b"http://a.org:80@evil.org/", b"Host: a.org", version=version)) is BAD_HOST
    assert answer_to(ask(b"http://a.org\\@evil.org/", b"Host: a.org", version=version)) is BAD_HOST


@pytest.mark.parametrize(("method", "target"), [(b"OPTIONS", b"*"), (b"CONNECT", b"a.org:443"), (b"GET", b"x")])
def test_what_has_no_path(method: bytes, target: bytes) -> None:
    assert answer_to(ask(target, b"Host: a.org", method=method)) is BAD_REQUEST


def test_no_request() -> None:
    assert answer_to(b"SSH-2.0-x\r\n") is BAD_REQUEST


HOSTS = st.sampled_from(["a.org", "a.org:80", "A.org.", "[::1]"])
CHARACTERS = st.characters(min_codepoint=0x21, max_codepoint=0xFF, exclude_characters="\x7f")


STARTS = st.sampled_from(["", "/", "//", "http://", "http://a.org"])


@given(HOSTS | st.text(CHARACTERS, max_size=30), st.text(CHARACTERS, max_size=30), STARTS)
def test_never_another_host(host: str, target: str, start: str) -> None:
    wire = ask((start + target or "/").encode("latin-1"), b"Host: " + host.encode("latin-1"))
    answer = answer_to(wire)
    head, _, _ = answer.wire.partition(b"\r\n\r\n")
    assert len(head.split(b"\r\n")) in (5, 6)
    if answer.status == 308:
        parts = urlsplit(parse_response(answer.wire)[0].headers["Location"])
        assert parts.scheme == "https"
        assert parts.netloc == host.rpartition(":")[0].lower().removesuffix(".") or parts.netloc == host.lower().removesuffix(
            "."
        )
        assert not parts.fragment
        assert parts.path.startswith("/")


@pytest.mark.parametrize(
    "text", ["", "http", "https:", "https:0", "https:65536", "https:080", "https://a.org", "HTTPS", "https:8443\n"]
)
def test_what_the_configuration_may_not_say(text: str) -> None:
    with pytest.raises(ValueError, match=r"^expected 'https' or 'https:PORT', found "):
        Redirect.of(text)


def test_it_answers_once_and_belongs_to_no_service(reactor: HandReactor) -> None:
    answers = Answers()
    client, arrival = arrive(ask(b"/x", b"Host: h"))
    arrival.service = RoutedService("a", Limits(), as_reactor(reactor), answers)  # which had it, and is there no more
    Redirect.of("https", answers).put_through(arrival)
    assert [answer.status for answer in answers.kinds] == [308]
    assert arrival.service is None
    client.close()


# -- as a route

SERVICES = """
listeners = [{address = "127.0.0.1:0"}]
[services]
a = { target = "handoff" }
b = { target = "handoff" }
"""


def routes(*texts: str) -> Config:
    return parse(SERVICES + "".join(f"\n[[routes]]\n{text}\n" for text in texts))


def found(config: Config, wire: bytes, tls: TlsFacts | None = None) -> object:
    table = config.table({name: name for name in config.services})
    decision = table.decide(Preface(wire, tls=tls))
    return decision.service if isinstance(decision, Rule) else decision


def test_it_is_for_plain_connections_only() -> None:
    config = routes(
        'prefix = "/x/"\nservice = "a"', 'prefix = "/x/"\nredirect = "https"', 'prefix = "/"\nredirect = "https:8443"'
    )
    assert found(config, ask(b"/x/1", b"Host: h")) == Redirect()
    assert found(config, ask(b"/x/1", b"Host: h"), TLS) == "a"
    assert found(config, ask(b"/y", b"Host: h")) == Redirect(8443)
    assert found(config, ask(b"/y", b"Host: h"), TLS) is NO_ROUTE  # and no redirect to itself


def test_conditions_hold_for_it_as_for_others() -> None:
    config = routes(
        'prefix = "/"\nservice = "a"', 'any = [ { host = "a.org" }, { path = "/p" } ]\nmethod = "GET"\nredirect = "https"'
    )
    assert found(config, ask(b"/", b"Host: a.org")) == Redirect()
    assert found(config, ask(b"/p", b"Host: b.org")) == Redirect()
    assert found(config, ask(b"/p", b"Host: b.org", method=b"POST")) == "a"
    assert found(config, ask(b"/", b"Host: b.org")) == "a"


def test_what_it_catches_is_nobodys() -> None:
    config = routes(
        'prefix = "/"\nservice = "a"',
        'prefix = "/x/"\nredirect = "https"',
        'prefix = "/y/"\nservice = "a"',
        'prefix = "/y/"\nredirect = "https"',
    )
    for service in ("a", "b"):
        patterns = dict(config.patterns_for(service))
        assert patterns == {"/": service == "a", "/x/": False, "/y/": False}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('prefix = "/"', "routes[0]: expected either `service` or `redirect`, found neither"),
        ('prefix = "/"\nservice = "a"\nredirect = "https"', "routes[0]: expected either `service` or `redirect`, found both"),
        ('redirect = "https"', "routes[0]: expected either `prefix` or `path`, or another condition"),
        ('prefix = "/"\nredirect = "http://a"', "routes[0].redirect: expected 'https' or 'https:PORT', found 'http://a'"),
        ('prefix = "/"\nredirect = "https:99999"', "routes[0].redirect: expected 'https' or 'https:PORT'"),
        ('prefix = "/"\nredirect = true', "routes[0].redirect: expected `str"),
        ('default = true\nredirect = "https"', 'routes[0]: expected `prefix = "/"` beside `redirect`, found `default`'),
        ('ssh = true\nredirect = "https"', "routes[0]: expected a condition on the request beside `redirect`"),
        ('tls = {}\nprefix = "/"\nredirect = "https"', "routes[0]: expected no `tls` beside `redirect`"),
        ('tls = { sni = "a" }\nredirect = "https"', "routes[0]: expected no `tls` beside `redirect`"),
    ],
)
def test_errors_say_where_and_what(text: str, says: str) -> None:
    with pytest.raises(BadConfig) as caught:
        routes(text)
    assert str(caught.value).startswith(says)


def test_two_redirects_of_the_same() -> None:
    with pytest.raises(BadConfig, match="stands there twice"):
        routes('prefix = "/"\nredirect = "https"', 'prefix = "/"\nnot = { tls = {} }\nredirect = "https:8443"')


def test_it_explains_itself() -> None:
    config = routes('prefix = "/"\nservice = "a"', 'prefix = "/x/"\nredirect = "https:8443"')
    lines = explain(config.table({"a": "a", "b": "b"}), Preface(ask(b"/x/1", b"Host: h")))
    assert lines[0] == "a redirect to https:8443: routes[1] (prefix /x/, not(tls)) wins"


# -- the router with it

CONFIG = """
listeners = [{address = "127.0.0.1:0"}, {address = "127.0.0.1:0", tls = {certificate = "FOLDER/pair.pem"}}]
routes = [
  {prefix = "/x/", redirect = "https:8443"},
  {prefix = "/x/", service = "a"},
  {prefix = "/y/", redirect = "https"},
]
[services.a]
target = "tcp"
address = "127.0.0.1:9"
keepalive = "pin"
"""
LINES = StringIO()
"""What the application has logged."""


@pytest.fixture
def application(reactor: HandReactor, folder: Path) -> Iterator[Application]:
    write_pair(folder / "pair.pem", folder / "pair.pem", "one.example")
    application = Application(parse(CONFIG.replace("FOLDER", str(folder))), as_reactor(reactor))
    application.access._stream = LINES
    LINES.truncate(LINES.seek(0))
    application.privilegedStartService()
    application.startService()
    yield application
    done: list[object] = []
    application.stopService().addCallback(done.append)
    reactor.pump([1.0] * 20)
    reactor.settle()
    assert done


def connect(application: Application, listener: int = 0) -> Inbox:
    return Inbox(socket.create_connection(application.addresses[listener], timeout=5))


@pytest.mark.parametrize("in_pieces", [False, True])
def test_a_client_is_redirected_and_the_connection_ends(
    reactor: HandReactor, application: Application, in_pieces: bool
) -> None:
    client = connect(application)
    wire = ask(b"/x/1?q", b"Host: h:80", b"Content-Length: 4", method=b"POST") + b"body"
    for at in range(len(wire)) if in_pieces else ():
        client.sock.send(wire[at : at + 1])
        reactor.settle()
    if not in_pieces:
        client.sock.send(wire)
    reactor.until(client.has_ended)
    assert not client.reset
    response, _ = parse_response(client.data)
    assert (response.status, response.headers["Location"]) == (308, "https://h:8443/x/1?q")
    client.sock.close()
    counts = application.status()["counts"]
    assert isinstance(counts, dict)
    assert counts["answered 308"] == 1
    application.access.flush()
    line = LINES.getvalue()
    assert '"status":308' in line
    assert '"service":null' in line


def test_by_tls_it_is_not(reactor: HandReactor, application: Application) -> None:
    def status(path: bytes) -> int:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing, server_hostname="one.example")
        client = connect(application, 1)
        said, sent = b"", False

        def answered() -> bool:
            nonlocal said, sent
            incoming.write(client.read())
            client.data = b""
            try:
                if not sent:
                    tls.do_handshake()
                    tls.write(ask(path, b"Host: one.example"))
                    sent = True
                said += tls.read(65_536)
            except ssl.SSLWantReadError:
                pass
            if outgoing.pending:
                client.sock.send(outgoing.read())
            return b"\r\n\r\n" in said

        reactor.until(answered)
        client.sock.close()
        return parse_response(said)[0].status

    assert status(b"/x/1") == 502  # the service, which nobody runs
    assert status(b"/y/1") == 404


def test_status_tells_of_it(application: Application) -> None:
    assert application.status()["routes"] == [
        {"pattern": "/x/", "service": None, "redirect": "https:8443"},
        {"pattern": "/x/", "service": "a", "redirect": None},
        {"pattern": "/y/", "service": None, "redirect": "https"},
    ]
    assert application.report().services["a"].replicas[0].state == "ready"
