"""A new configuration in place: listeners, and what is refused."""

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from portico.certificates import BadCertificates

from tests.support.descriptors import open_descriptors

from .support.authority import write_pair
from .support.deployment import deployed, request
from .support.reactor import HandReactor
from .support.reloading import Ways, config
from .support.tlsclient import TlsClient
from .support.wires import Inbox


@pytest.fixture
def alone(reactor: HandReactor, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ways]:
    write_pair(folder / "one.pem", folder / "one.pem", "one.example")
    with deployed(reactor, folder, config(), "in-process", monkeypatch) as deployment:
        ways = Ways(deployment, "in-process")
        yield ways
        for client in ways.clients:
            client.close()


ALPHA = '[services.alpha]\ntarget = "handoff"\n'


def listening(ways: Ways, *listeners: str) -> str:
    return config("/a/ alpha", services=ALPHA, listeners=", ".join(listeners))


def at(ways: Ways, index: int, more: str = "") -> str:
    """The listener again, by the port that it has."""
    host, port = ways.deployment.application.addresses[index]
    return f'{{address = "{host}:{port}"{", " + more if more else ""}}}'


def own_port(ways: Ways) -> str:
    """A listener by a port of its own, no port 0."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    ways.reload(listening(ways, f'{{address = "127.0.0.1:{port}"}}'))
    return f'{{address = "127.0.0.1:{port}"}}'


TLS = 'tls = {certificate = "FOLDER/one.pem"}'


def test_a_listener_is_added_and_removed(alone: Ways) -> None:
    first = own_port(alone)
    alone.reload(listening(alone, first, '{address = "127.0.0.1:0"}'))
    added = alone.deployment.application.addresses[1]
    client = alone.connect(1)
    assert alone.ask(client, "/a/x") == "alpha"
    late = socket.create_connection(added, timeout=5)  # connected, and not accepted yet
    alone.clients.append(late)
    late.send(request("/a/late"))
    alone.reload(listening(alone, first))
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(added, timeout=5)
    assert alone.ask(client, "/a/y") == "alpha"
    alone.reactor.until(Inbox(late).holds(b"alpha /a/late"))
    assert alone.ask(alone.connect(), "/a/z") == "alpha"


def test_a_listener_is_turned_into_tls_and_back(alone: Ways) -> None:
    own_port(alone)
    plain = alone.connect()
    assert alone.ask(plain, "/a/x") == "alpha"
    waiting = alone.connect()
    waiting.sock.send(b"GET /a/")
    alone.reactor.settle()
    alone.reload(listening(alone, at(alone, 0, TLS)))
    assert alone.ask(plain, "/a/y") == "alpha"
    waiting.sock.send(request("/a/")[7:])
    alone.reactor.until(waiting.holds(b"alpha /a/"))
    client = TlsClient(alone.connect().sock)
    client.until(alone.reactor, lambda: client.shaken)

    def asked(path: str) -> bool:
        client.data.clear()
        client.write(request(path))
        client.until(alone.reactor, lambda: client.ended or client.data.endswith(b"."))
        return b"alpha " in client.data

    assert asked("/a/x")
    shaking = TlsClient(alone.connect().sock)
    hello = shaking.hello()
    shaking.sock.send(hello[:20])
    alone.reactor.settle()
    alone.reload(listening(alone, at(alone, 0)))
    assert asked("/a/y")  # its session goes on
    shaking.sock.send(hello[20:])
    shaking.until(alone.reactor, lambda: shaking.shaken)
    assert alone.ask(alone.connect(), "/a/z") == "alpha"
    assert alone.deployment.application.status()["tls_sessions"] == 2


def test_tls_clients_count_against_the_limit_over_reloads(alone: Ways) -> None:
    own_port(alone)
    text = listening(alone, at(alone, 0, TLS)).replace("[limits]", "[limits]\ntls_sessions = 2")
    alone.reload(text)
    clients = []
    for _ in range(2):
        client = TlsClient(alone.connect().sock)
        client.until(alone.reactor, lambda: client.shaken)  # noqa: B023
        clients.append(client)
        alone.reload(text)
    assert alone.deployment.application.status()["tls_sessions"] == 2
    alone.reactor.until(alone.connect().has_ended)
    clients[0].sock.close()
    alone.reactor.until(lambda: alone.deployment.application.status()["tls_sessions"] == 1)


def test_tls_clients_of_a_listener_that_is_gone_are_waited_for(alone: Ways) -> None:
    first = own_port(alone)
    alone.reload(listening(alone, first, f'{{address = "127.0.0.1:0", {TLS}}}'))
    client = TlsClient(alone.connect(1).sock)
    client.until(alone.reactor, lambda: client.shaken)
    client.write(request("/a/x", Content_Length="10") + b"01234")
    client.settle(alone.reactor)
    alone.reload(listening(alone, first))
    assert alone.deployment.application.status()["tls_sessions"] == 1
    alone.deployment.stop()
    alone.reactor.settle()
    client.write(b"56789")
    client.until(alone.reactor, lambda: client.data.endswith(b" 10."))
    client.say_goodbye()
    client.sock.close()
    for _ in range(5):
        alone.reactor.settle()
        alone.reactor.advance(0.1)
    alone.reactor.until(lambda: alone.deployment.stopped)


def test_a_proxy_header_under_way_survives_a_reload(alone: Ways) -> None:
    own_port(alone)
    text = listening(alone, at(alone, 0, 'proxy = ["127.0.0.1"]'))
    alone.reload(text)
    client = alone.connect()
    client.sock.send(b"PROXY TCP4 203.0.113.9 ")
    alone.reactor.settle()
    alone.reload(text)
    client.sock.send(b"198.51.100.1 40000 443\r\n" + request("/a/x"))
    alone.reactor.until(client.holds(b"alpha /a/x 203.0.113.9 40000 443"))


@pytest.mark.parametrize("proxy", ['proxy = ["127.0.0.1"]', ""])
def test_a_drain_ends_a_proxy_header_under_way_of_before_a_reload(alone: Ways, proxy: str) -> None:
    own_port(alone)
    alone.reload(listening(alone, at(alone, 0, 'proxy = ["127.0.0.1"]')))
    client = alone.connect()
    client.sock.send(b"PROXY TCP4 203.0.113.9 ")
    alone.reactor.until(lambda: alone.deployment.application.status()["held"] == 1)
    alone.reload(listening(alone, at(alone, 0, proxy)))
    alone.deployment.stop()
    alone.reactor.until(client.has_ended)


def test_a_reload_reads_certificates(alone: Ways, folder: Path) -> None:
    own_port(alone)
    alone.reload(listening(alone, at(alone, 0, TLS)))

    def shown() -> object:
        client = TlsClient(alone.connect().sock)
        client.until(alone.reactor, lambda: client.shaken)
        return client.tls.getpeercert(binary_form=True)

    before = shown()
    write_pair(folder / "one.pem", folder / "one.pem", "one.example")
    alone.reload(listening(alone, at(alone, 0, TLS)))
    assert shown() != before


def test_reloads_leave_no_descriptors(alone: Ways) -> None:
    own_port(alone)
    texts = [listening(alone, at(alone, 0, TLS)), listening(alone, at(alone, 0), '{address = "127.0.0.1:0"}')]
    for text in texts * 2:
        alone.reload(text)
    before = len(open_descriptors())
    for text in texts * 5:
        alone.reload(text)
    assert len(open_descriptors()) == before
    assert len(alone.deployment.reactor.getDelayedCalls()) <= 3


# -- what is refused


def unchanged(ways: Ways, reload: Callable[[], None], error: type[Exception], says: str) -> None:
    """`reload` fails and changes nothing."""
    application = ways.deployment.application
    before = application._config, application._entrances, application._services, dict(application.status())
    descriptors, calls = open_descriptors(), len(ways.reactor.getDelayedCalls())
    with pytest.raises(error) as caught:
        reload()
    assert says in str(caught.value)
    del caught
    assert (application._config, application._entrances, application._services, dict(application.status())) == before
    assert (open_descriptors(), len(ways.reactor.getDelayedCalls())) == (descriptors, calls)
    assert ways.ask(ways.connect(), "/a/x") == "alpha"


def test_a_port_that_cannot_be_had(alone: Ways) -> None:
    first = own_port(alone)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        other = '{{address = "127.0.0.1:0"}}, {{address = "{}:{}"}}'.format(*taken.getsockname())
        text = listening(alone, first, other)
        unchanged(alone, lambda: alone.deployment.reload(text), OSError, "Address already in use")


def test_one_address_twice(alone: Ways) -> None:
    first = own_port(alone)
    unchanged(alone, lambda: alone.deployment.reload(listening(alone, first, first)), OSError, "Address already in use")


def test_certificates_that_cannot_be_used(alone: Ways) -> None:
    own_port(alone)
    text = listening(alone, at(alone, 0, 'tls = {certificate = "FOLDER/none.pem"}'))
    unchanged(alone, lambda: alone.deployment.reload(text), BadCertificates, "none.pem: no such file")


def test_a_service_that_cannot_be_made(alone: Ways, monkeypatch: pytest.MonkeyPatch) -> None:
    from portico import assembly
    from svckit.entry import NoSuchService

    own_port(alone)

    def none(name: str) -> object:
        raise NoSuchService(f"no service {name!r} is installed")

    monkeypatch.setattr(assembly, "find", none)
    text = listening(alone, at(alone, 0), '{address = "127.0.0.1:0"}') + '[services.other]\ntarget = "handoff"\n'
    unchanged(alone, lambda: alone.deployment.reload(text), LookupError, "no service 'other'")


def test_a_drain_is_not_undone(alone: Ways) -> None:
    own_port(alone)
    text = listening(alone, at(alone, 0))
    alone.deployment.stop()
    alone.deployment.reload(text)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(alone.deployment.application.addresses[0], timeout=5)
