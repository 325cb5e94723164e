"""What a tcp server is told of the client before anything else, and that it is told just that."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from portico.arrival import Address, Arrival
from portico.config import BadConfig, Tcp, parse
from portico.core.proxyprotocol import decode, encode_v1, encode_v2
from portico.poller import Poller
from portico.targets.introduction import introduction

from .support.reactor import HandReactor
from .support.told import HEAD, Rig, told
from .support.wires import LISTENER, Answers, Logged, nobody, raw, tcp_pair

CLOSING = b"POST /a/x HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nConnection: close\r\n\r\n"
CLIENT, CLIENT6 = ("203.0.113.7", 4711), ("2001:db8::7", 4711)


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, Any]]:
    client, ours = tcp_pair()
    yield client, ours
    client.close()
    ours.close()


def test_none_is_asked_for(pair: tuple[socket.socket, Any]) -> None:
    assert introduction(Arrival(pair[1], CLIENT, LISTENER, 0.0), None) == b""


@pytest.mark.parametrize("client", [CLIENT, CLIENT6])
def test_the_header_is_that_of_the_version(pair: tuple[socket.socket, Any], client: Address) -> None:
    listener = LISTENER if client is CLIENT else ("2001:db8::1", 8080)
    arrival = Arrival(pair[1], client, listener, 0.0)
    assert introduction(arrival, "v1") == encode_v1(client, listener)
    assert introduction(arrival, "v2") == encode_v2(client, listener)


@pytest.mark.parametrize("listener", ["0.0.0.0", "::"])
@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_listener_on_all_addresses(pair: tuple[socket.socket, Any], listener: str, version: Any) -> None:
    found = decode(introduction(Arrival(pair[1], CLIENT, (listener, 8080), 0.0), version))
    assert found is not None
    assert (found.source, found.destination) == (CLIENT, pair[0].getpeername())


@pytest.mark.parametrize(("client", "listener"), [(CLIENT, "0.0.0.0"), (CLIENT, "::"), (CLIENT6, "::")])
def test_where_the_socket_does_not_tell(client: Address, listener: str) -> None:
    ours, other = socket.socketpair()  # what TLS that ended here has
    with other:
        sock = raw(ours)
        found = decode(introduction(Arrival(sock, client, (listener, 8443), 0.0), "v2"))
        sock.close()
    assert found is not None
    assert (found.source, found.destination) == (client, ("::" if ":" in client[0] else "0.0.0.0", 8443))


def test_an_ipv4_client_of_an_ipv6_listener() -> None:
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as listener:
        at = ("127.0.0.1", listener.getsockname()[1])
        with socket.create_connection(at) as client:
            sock = raw(listener.accept()[0])
            found = decode(introduction(Arrival(sock, client.getsockname(), ("::", at[1]), 0.0), "v2"))
            sock.close()
            assert found is not None
            assert (found.source, found.destination) == (client.getsockname(), at)


# -- on the wire


@pytest.fixture
def rig(reactor: HandReactor, poller: Poller, logged: Logged, answers: Answers) -> Iterator[Rig]:
    yield from told(reactor, poller, logged, answers)


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize(("keepalive", "head"), [("pin", HEAD), ("close", CLOSING)])
def test_it_is_the_first_thing_on_the_connection(rig: Rig, version: Any, keepalive: str, head: bytes) -> None:
    listener = rig.listener()
    rig.make(listener.getsockname(), keepalive=keepalive, proxy=version)
    client, arrival = rig.connect(HEAD + b"bo")
    client.sock.send(b"dy")
    server = rig.accept(listener)
    rig.reactor.until(server.holds(b"body"))
    assert server.data == introduction(arrival, version) + head + b"body"
    found = decode(server.data)
    assert found is not None
    assert (found.source, found.destination) == (client.sock.getsockname(), LISTENER)
    server.sock.send(b"answer")
    rig.reactor.until(client.holds(b"answer"))
    assert client.data == b"answer"


def test_a_client_that_does_not_speak_http(rig: Rig) -> None:
    listener = rig.listener()
    rig.make(listener.getsockname(), keepalive="pin", proxy="v2")
    _, arrival = rig.connect(b"")
    server = rig.accept(listener)
    header = introduction(arrival, "v2")
    rig.reactor.until(server.holds(header))  # before the client has said a word: a server may be the first to speak
    assert server.data == header


def test_each_connection_names_its_own_client(rig: Rig) -> None:
    listener = rig.listener()
    rig.make(listener.getsockname(), keepalive="close", proxy="v1")
    for _ in range(3):
        client, _ = rig.connect()
        server = rig.accept(listener)
        rig.reactor.until(server.holds(CLOSING))
        port = client.sock.getsockname()[1]
        assert server.data == f"PROXY TCP4 127.0.0.1 127.0.0.1 {port} 8080\r\n".encode() + CLOSING


def test_the_next_replica_gets_it_too(rig: Rig) -> None:
    listener = rig.listener()
    rig.make(nobody(), listener.getsockname(), keepalive="pin", proxy="v2", balance="round-robin")
    _, arrival = rig.connect()
    server = rig.accept(listener)
    rig.reactor.until(server.holds(HEAD))
    assert server.data == introduction(arrival, "v2") + HEAD


CONFIG = """
listeners = [{address = "127.0.0.1:0"}]
routes = [{prefix = "/", service = "a"}]
[services.a]
target = "tcp"
address = "h:80"
"""


@pytest.mark.parametrize("keepalive", ["", 'keepalive = "split"'])
def test_not_where_connections_carry_several_clients(keepalive: str) -> None:
    with pytest.raises(BadConfig) as caught:
        parse(f'{CONFIG}proxy = "v2"\n{keepalive}')
    said = (
        'services.a.proxy: expected `keepalive = "close"` or "pin" beside it, found "split": there a connection to the server'
    )
    assert str(caught.value).startswith(said)
    assert "several clients" in str(caught.value)


def test_the_configuration() -> None:
    for keepalive in ("close", "pin"):
        for version in ("v1", "v2"):
            config = parse(f'{CONFIG}proxy = "{version}"\nkeepalive = "{keepalive}"')
            assert config.services["a"] == Tcp("h:80", keepalive=keepalive, proxy=version)
    with pytest.raises(BadConfig, match=r"services\.a\.proxy: .*'v3'; expected one of"):
        parse(f'{CONFIG}proxy = "v3"\nkeepalive = "pin"')
    with pytest.raises(BadConfig, match=r"services\.a\.eject_after: .*>= 1"):
        parse(f"{CONFIG}eject_after = 0")
    with pytest.raises(BadConfig, match=r"services\.a\.eject_time: .*> 0"):
        parse(f"{CONFIG}eject_time = 0")
