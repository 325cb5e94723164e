"""What a tcp server is told of the client before anything else, and that it is told just that; and whom a failing one gets."""

import errno
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from portico.arrival import Address, Arrival, RawSocket
from portico.config import BadConfig, Limits, Tcp, parse
from portico.core.proxyprotocol import decode, encode_v1, encode_v2
from portico.poller import Poller
from portico.pump import Pipes
from portico.service import RoutedService
from portico.targets import connect
from portico.targets.connect import Connecting, Replica
from portico.targets.introduction import introduction
from portico.targets.tcp import TcpTarget
from svckit.lease import Ownership

from .support.reactor import HandReactor
from .support.wires import LISTENER, Answers, Inbox, Logged, arrive, as_reactor, inline_resolver, raw, tcp_pair

HEAD = b"POST /a/x HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\n"
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


class Rig:
    """A target and the listening sockets of its replicas, whose every word the test says itself."""

    def __init__(self, reactor: HandReactor, poller: Poller, logged: Logged, answers: Answers) -> None:
        self.reactor, self.poller, self.logged, self.answers = reactor, poller, logged, answers
        self.pipes = Pipes()
        self.sockets: list[socket.socket] = []

    def make(self, *replicas: Address, **settings: Any) -> None:
        limits, reactor = Limits(), as_reactor(self.reactor)
        self.service = RoutedService("a", limits, reactor, self.answers)
        self.target = TcpTarget(
            self.service,
            Tcp("{}:{}".format(*replicas[0]), **settings),
            limits,
            self.poller,
            self.pipes,
            reactor,
            self.answers,
            self.logged.log,
            Ownership((("/a/", True),)),
            lambda arrival: arrival.close(),
            inline_resolver(reactor),
        )
        self.service.target = self.target
        self.target.start()
        self.target.replicas.found(list(replicas))

    def listener(self, port: int = 0) -> socket.socket:
        listener = socket.create_server(("127.0.0.1", port))
        listener.setblocking(False)
        self.sockets.append(listener)
        return listener

    def connect(self, first: bytes = HEAD) -> tuple[Inbox, Arrival]:
        client, arrival = arrive(first)
        self.sockets.append(client)
        self.service.put_through(arrival)
        return Inbox(client), arrival

    def accept(self, listener: socket.socket) -> Inbox:
        self.reactor.until(lambda: self.accepted(listener))
        return Inbox(self.sockets[-1])

    def accepted(self, listener: socket.socket) -> bool:
        try:
            self.sockets.append(listener.accept()[0])
        except BlockingIOError:
            return False
        return True

    def states(self) -> list[object]:
        replicas = self.target.status()["replicas"]
        assert isinstance(replicas, list)
        return [replica["state"] for replica in replicas]

    def close(self) -> None:
        for sock in self.sockets:
            sock.close()
        self.target.stop()
        self.reactor.settle()
        self.reactor.pump([1.0] * 12)
        self.pipes.close()
        assert len(self.poller) == 0


@pytest.fixture
def rig(reactor: HandReactor, poller: Poller, logged: Logged, answers: Answers) -> Iterator[Rig]:
    rig = Rig(reactor, poller, logged, answers)
    yield rig
    rig.close()


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


# -- replicas that fail


def nobody() -> Address:
    """An address that refuses."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        host, port = sock.getsockname()
        return host, port


def serve(rig: Rig, listener: socket.socket, times: int = 1) -> None:
    """So many clients, one after the other, each served by `listener`."""
    for _ in range(times):
        client, _ = rig.connect()
        server = rig.accept(listener)
        rig.reactor.until(server.holds(b"POST"))
        server.sock.close()
        rig.reactor.until(client.has_ended)
        client.sock.close()
        rig.reactor.settle()


@pytest.fixture
def attempts(monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[Address]]:
    """Who was tried since it was asked last."""
    tried: list[Address] = []
    real = Connecting._open

    def opened(connecting: Connecting, replica: Replica) -> object:
        tried.append(replica.at)
        return real(connecting, replica)

    monkeypatch.setattr(Connecting, "_open", opened)

    def taken() -> list[Address]:
        found, tried[:] = tried[:], []
        return found

    return taken


@pytest.mark.parametrize("keepalive", ["pin", "close", "split"])
def test_one_that_refuses_is_passed_over_and_comes_back(
    rig: Rig, attempts: Callable[[], list[Address]], keepalive: str
) -> None:
    dead, listener = nobody(), rig.listener()
    rig.make(dead, listener.getsockname(), keepalive=keepalive, balance="round-robin", eject_after=2, eject_time=5.0)
    serve(rig, listener, 4)
    assert attempts().count(dead) == 2
    assert rig.states() == ["ejected", "ready"]
    serve(rig, listener, 4)
    assert attempts() == [listener.getsockname()] * 4
    rig.reactor.advance(5.0)
    assert rig.states() == ["ready", "ready"]
    serve(rig, listener, 2)
    assert attempts().count(dead) == 1  # one more failure was enough
    assert rig.states() == ["ejected", "ready"]
    alive = rig.listener(dead[1])
    rig.reactor.advance(5.0)
    rig.connect()
    rig.connect()
    rig.accept(alive)
    rig.accept(listener)
    rig.reactor.settle()
    assert rig.states() == ["ready", "ready"]
    assert attempts().count(dead) == 1


def test_one_that_does_not_answer_in_time(rig: Rig, attempts: Callable[[], list[Address]]) -> None:
    full = socket.socket()
    full.bind(("127.0.0.1", 0))
    full.listen(0)
    rig.sockets.append(full)
    for _ in range(4):
        filler = socket.socket()
        filler.setblocking(False)
        filler.connect_ex(full.getsockname())
        rig.sockets.append(filler)
    listener = rig.listener()
    rig.make(
        full.getsockname(), listener.getsockname(), keepalive="pin", balance="round-robin", eject_after=1, connect_timeout=1.0
    )
    rig.connect()
    rig.reactor.settle()
    rig.reactor.advance(1.1)
    rig.accept(listener)
    assert rig.states() == ["ejected", "ready"]
    attempts()
    rig.connect()
    rig.accept(listener)
    assert attempts() == [listener.getsockname()]


def test_one_alone_is_never_ejected(rig: Rig, attempts: Callable[[], list[Address]]) -> None:
    dead = nobody()
    rig.make(dead, keepalive="pin", eject_after=1)
    for _ in range(5):
        rig.answers.given.clear()
        rig.connect()
        rig.reactor.until(lambda: rig.answers.given)
        assert [answer.status for answer in rig.answers.kinds] == [502]
    assert attempts() == [dead] * 5
    assert rig.states() == ["ready"]


def test_rather_an_ejected_one_than_no_answer(rig: Rig, attempts: Callable[[], list[Address]]) -> None:
    first, second = nobody(), nobody()
    rig.make(first, second, keepalive="pin", balance="round-robin", eject_after=1)
    rig.connect()
    rig.reactor.until(lambda: rig.answers.given)
    assert rig.states().count("ejected") == 1
    back = (first, second)[rig.states().index("ejected")]
    attempts()
    listener = rig.listener(back[1])
    rig.connect()
    rig.accept(listener)
    rig.reactor.settle()
    assert attempts() == [second if back == first else first, back]
    assert rig.states()[(first, second).index(back)] == "ready"  # it has answered


def test_an_address_that_is_gone_takes_its_ejection_with_it(rig: Rig) -> None:
    dead, listener = nobody(), rig.listener()
    both = [dead, listener.getsockname()]
    rig.make(*both, keepalive="pin", balance="round-robin", eject_after=1)
    serve(rig, listener, 2)
    assert rig.states() == ["ejected", "ready"]
    rig.target.replicas.found(both[:1])
    assert rig.states() == ["ready"]
    rig.target.replicas.found(both[1:])
    rig.target.replicas.found(both)
    assert rig.states() == ["ready", "ready"]


def test_what_is_our_own_fault_does_not_count(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    dead, other = nobody(), nobody()
    rig.make(dead, other, keepalive="pin", eject_after=1)

    class NoPorts(RawSocket):
        def connect_ex(self, at: object) -> int:
            return errno.EADDRNOTAVAIL

    monkeypatch.setattr(connect, "RawSocket", NoPorts)
    rig.connect()
    rig.reactor.until(lambda: rig.answers.given)
    assert rig.states() == ["ready", "ready"]
    monkeypatch.setattr(NoPorts, "connect_ex", lambda self, at: errno.ENETUNREACH)
    rig.connect()
    rig.reactor.until(lambda: len(rig.answers.given) == 2)
    assert rig.states().count("ejected") == 1
