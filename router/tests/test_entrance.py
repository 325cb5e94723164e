"""What a connection goes through before the router sees it: PROXY header, then TLS, on to all three targets."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from portico.config import BadConfig, parse
from portico.core.proxyprotocol import encode_v1, encode_v2

from tests.support.descriptors import open_descriptors

from .support.authority import write_pair
from .support.deployment import KINDS, deployed, request
from .support.entrance import DESTINATION, FOREIGN, HANDOFF, LISTENERS, PLAIN, PROXY, PROXY_TLS, SOURCE, TCP, TLS, Ways
from .support.reactor import HandReactor
from .support.tlsclient import TlsClient, trusting


@pytest.fixture(params=KINDS)
def ways(request: pytest.FixtureRequest, reactor: HandReactor, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ways]:
    write_pair(folder / "one.pem", folder / "one.pem", "one.example")
    services = "".join((TCP if request.param == "tcp" else HANDOFF).format(name) for name in ("alpha", "beta"))
    with deployed(reactor, folder, LISTENERS + services, request.param, monkeypatch) as deployment:
        yield Ways(deployment, request.param)


def test_plain_is_not_secure(ways: Ways) -> None:
    client = ways.plain(PLAIN, b"")
    words = ways.deployment.ask(client, "/a/x").split()
    assert words[:2] == ["alpha", "/a/x"]
    assert ways.seen(words) == ways.expected(client.sock.getsockname(), False)
    client.sock.close()


def test_tls_ends_here_and_the_service_knows(ways: Ways) -> None:
    client = ways.tls(TLS)
    words = ways.ask(client, "/a/x")
    assert words[:2] == ["alpha", "/a/x"]
    assert ways.seen(words) == ways.expected(client.sock.getsockname(), True)
    if ways.kind != "tcp":
        assert words[4] == str(ways.deployment.application.addresses[TLS][1])  # where the client connected to
    client.sock.close()


def test_a_kept_tls_connection_goes_from_service_to_service(ways: Ways) -> None:
    """Handed back with what is known of TLS and of the client, however often."""
    client = ways.tls(TLS)
    expected = ways.expected(client.sock.getsockname(), True)
    for _ in range(2):
        for name, path in (("alpha", "/a/"), ("beta", "/b/"), ("alpha", "/named/")):
            words = ways.ask(client, path, b"x" * 10)
            assert words[:2] == [name, path]
            assert ways.seen(words) == expected
            assert words[-1] == "10."
    client.sock.close()


def test_a_large_upload_over_tls(ways: Ways) -> None:
    client = ways.tls(TLS)
    words = ways.ask(client, "/a/x", b"x" * 3_000_000)
    assert words[-1] == "3000000."
    client.sock.close()


def test_a_request_for_no_service_over_tls(ways: Ways) -> None:
    client = ways.tls(TLS)
    client.write(request("/none"))
    client.until(ways.reactor, lambda: client.ended)
    assert client.data.startswith(b"HTTP/1.1 404 ")
    assert client.said_goodbye
    client.sock.close()


def test_plain_http_to_a_tls_port_is_logged(ways: Ways) -> None:
    client = ways.plain(TLS, request("/a/x"))
    ways.reactor.until(client.has_ended)
    assert [(line["status"], line["why"]) for line in ways.deployment.lines] == [(0, "no sound TLS handshake in time")]
    client.sock.close()


@pytest.mark.parametrize("encode", [encode_v1, encode_v2])
def test_the_client_of_a_proxy_header_is_the_client(ways: Ways, encode: object) -> None:
    header: bytes = encode(SOURCE, DESTINATION)  # type: ignore[operator]
    client = ways.plain(PROXY, header)
    words = ways.deployment.ask(client, "/a/x").split()
    assert ways.seen(words) == ways.expected(SOURCE, False)
    if ways.kind != "tcp":
        assert words[4] == str(DESTINATION[1])
    assert ways.deployment.ask(client, "/b/x").split()[0] == "beta"  # and it stays so from service to service
    client.sock.close()
    ways.deployment.look()
    assert {line["client"] for line in ways.deployment.lines} == {SOURCE[0]}


def test_proxy_then_tls(ways: Ways) -> None:
    client = ways.tls(PROXY_TLS, encode_v2(SOURCE, DESTINATION))
    words = ways.ask(client, "/a/x")
    assert ways.seen(words) == ways.expected(SOURCE, True)
    assert ways.ask(client, "/b/x")[0] == "beta"
    client.sock.close()


def test_proxy_header_and_client_hello_in_one_segment(ways: Ways) -> None:
    sock = ways.socket(PROXY_TLS)
    client = TlsClient(sock)
    sock.send(encode_v1(SOURCE, DESTINATION) + client.hello())
    client.until(ways.reactor, lambda: client.shaken)
    assert ways.seen(ways.ask(client, "/a/x")) == ways.expected(SOURCE, True)
    sock.close()


def test_a_header_of_a_sender_that_is_not_trusted_is_a_bad_request(ways: Ways) -> None:
    for header in (encode_v1(SOURCE, DESTINATION), encode_v2(SOURCE, DESTINATION)):
        client = ways.plain(FOREIGN, header + request("/a/x"))
        ways.reactor.until(client.has_ended)
        assert not client.data or client.data.startswith(b"HTTP/1.1 400 ")
        client.sock.close()
    client = ways.plain(FOREIGN, b"")
    assert ways.deployment.ask(client, "/a/x").startswith("alpha ")
    client.sock.close()


def test_a_trusted_sender_without_a_header_is_closed(ways: Ways) -> None:
    client = ways.plain(PROXY, request("/a/x"))
    ways.reactor.until(client.has_ended)
    assert client.data == b""
    late = ways.plain(PROXY, b"PROXY ")
    ways.reactor.settle()
    ways.reactor.advance(2.1)
    ways.reactor.until(late.has_ended)
    assert len(ways.deployment.lines) == 2
    for each in (client, late):
        each.sock.close()


def test_status_counts_tls_clients(ways: Ways) -> None:
    assert ways.deployment.application.status()["tls_sessions"] == 0
    client = ways.tls(TLS)
    ways.ask(client, "/a/x")
    assert ways.deployment.application.status()["tls_sessions"] == 1
    client.say_goodbye()
    client.sock.close()
    ways.reactor.until(lambda: ways.deployment.application.status()["tls_sessions"] == 0)


def test_descriptors_are_not_leaked(ways: Ways) -> None:
    def visit() -> None:
        client = ways.tls(TLS)
        ways.ask(client, "/a/x")
        ways.ask(client, "/b/x")
        client.say_goodbye()
        client.sock.close()
        ways.reactor.until(lambda: ways.deployment.application.status()["tls_sessions"] == 0)
        ways.reactor.settle()

    visit()
    before = open_descriptors()
    for _ in range(10):
        visit()
    ways.reactor.until(lambda: len(open_descriptors()) == len(before))  # the tcp target keeps a connection, not the same one


def test_a_drain_waits_for_tls_clients_and_ends_the_rest(ways: Ways) -> None:
    finishing, lingering = ways.tls(TLS), ways.tls(TLS)
    lingering.write(request("/a/x", Content_Length="10") + b"01234")
    finishing.write(request("/a/x", Content_Length="10") + b"01234")
    for client in (finishing, lingering):
        client.settle(ways.reactor)
    ways.deployment.stop()
    ways.reactor.settle()
    finishing.write(b"56789")
    finishing.until(ways.reactor, lambda: finishing.data.endswith(b"."))
    assert finishing.data.endswith(b" 10.")  # what was under way is finished
    finishing.say_goodbye()
    finishing.sock.close()
    ways.reactor.settle()
    assert ways.deployment.stopped == []
    for _ in range(40):
        ways.reactor.advance(0.1)
        ways.reactor.settle()
    ways.reactor.until(lambda: ways.deployment.stopped)
    lingering.until(ways.reactor, lambda: lingering.ended)
    lingering.sock.close()


def test_certificates_are_looked_at_again_and_again(ways: Ways, folder: Path) -> None:
    def shown() -> object:
        client = ways.tls(TLS, context=trusting())
        certificate = client.tls.getpeercert(binary_form=True)
        client.sock.close()
        return certificate

    before = shown()
    write_pair(folder / "one.pem", folder / "one.pem", "one.example", "a-longer-list.example")
    ways.reactor.pump([1.0] * 6)
    assert shown() != before


# -- what a configuration may say


@pytest.mark.parametrize(
    ("listener", "says"),
    [
        ('proxy = ["10.0.0.1/8"]', "listeners[0].proxy: 10.0.0.1/8 has host bits set"),
        ('proxy = "10.0.0.0/8"', "listeners[0].proxy: expected `array`, got `str`"),
        ('tls = {key = "k"}', "listeners[0].tls: "),
        ('tls = {certificate = "c", keys = "k"}', "listeners[0].tls: "),
        ("tls = true", "listeners[0].tls: "),
    ],
)
def test_bad_listeners(listener: str, says: str) -> None:
    text = f'listeners = [{{address = "127.0.0.1:0", {listener}}}]\nroutes = []\n[services]\n'
    with pytest.raises(BadConfig) as caught:
        parse(text)
    assert str(caught.value).startswith(says)
