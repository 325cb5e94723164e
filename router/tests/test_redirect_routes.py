"""From plain to TLS: whom it concerns, as a route and in a whole router."""

import socket
import ssl
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from portico.application import Application
from portico.config import BadConfig, Config, parse
from portico.core.answers import NO_ROUTE
from portico.core.clienthello import TlsFacts
from portico.core.explain import explain
from portico.core.preface import Preface
from portico.redirect import Redirect

from .support.authority import write_pair
from .support.reactor import HandReactor
from .support.redirects import ask, found
from .support.wires import Inbox, as_reactor, parse_response

TLS = TlsFacts(b"h", (b"http/1.1",))
SERVICES = """
listeners = [{address = "127.0.0.1:0"}]
[services]
a = { target = "handoff" }
b = { target = "handoff" }
"""


def routes(*texts: str) -> Config:
    return parse(SERVICES + "".join(f"\n[[routes]]\n{text}\n" for text in texts))


# -- as a route


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


# -- the router with it


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
