"""From a WebSocket to a TCP server and back, over transports in memory."""

from collections.abc import Callable

import pytest
from svckit.settings import BadOptions
from twisted.internet.endpoints import HostnameEndpoint, TCP4ClientEndpoint, TCP6ClientEndpoint, UNIXClientEndpoint
from twisted.internet.error import ConnectionDone, ConnectionRefusedError
from twisted.internet.interfaces import IProtocol
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from websocketsvc.bridge import address_of
from websocketsvc.txws_service import make_factory

from .support.fixtures import MakeSettings, Tools
from .support.wire import Client, Wire

BINARY, TEXT, CLOSE = 2, 1, 8
OPEN = b"HTTP/1.1 101 "


class Setup:
    def __init__(self, settings: MakeSettings, tools: Tools, **options: object) -> None:
        self.tools, self.reactor = tools, MemoryReactorClock()
        options = {"tcp": "vnc=127.0.0.1:5900 db=unix:/run/db", "ping_interval": 0, **options}
        self.factory = make_factory(settings("txws", **options), self.reactor)

    def client(self, path: str = "/ws/tcp/vnc", **fields: str | None) -> Client:
        return self.tools.Client(self.factory, self.reactor).open(path, **fields)

    def answer(self) -> tuple[IProtocol, Wire]:
        """The server accepts."""
        (_, _, factory, _, _) = self.reactor.tcpClients[-1]
        protocol = factory.buildProtocol(None)
        assert protocol is not None
        wire = self.tools.Wire()
        protocol.makeConnection(wire)
        return protocol, wire

    def refuse(self, path: str = "/ws/tcp/vnc", **fields: str | None) -> bytes:
        answer: bytes = self.tools.Client(self.factory, self.reactor).send(self.tools.opening(path, **fields)).received()
        return answer


@pytest.fixture
def setup(settings: MakeSettings, tools: Tools) -> Callable[..., Setup]:
    return lambda **options: Setup(settings, tools, **options)


def test_bytes_go_to_and_fro(setup: Callable[..., Setup], tools: Tools) -> None:
    bridge = setup()
    client = bridge.client(Sec_WebSocket_Protocol="binary")
    assert bridge.reactor.tcpClients[-1][:2] == ("127.0.0.1", 5900)
    server, wire = bridge.answer()
    client.send(tools.client_frame(BINARY, b"hello"))
    assert wire.value() == b"hello"
    server.dataReceived(b"RFB 003.008\n")
    assert client.frames() == [(BINARY, b"RFB 003.008\n")]


def test_what_comes_before_the_server_is_there_waits(setup: Callable[..., Setup], tools: Tools) -> None:
    bridge = setup()
    client = tools.Client(bridge.factory, bridge.reactor)
    client.send(tools.opening("/ws/tcp/vnc") + tools.client_frame(BINARY, b"early"))
    assert client.wire.producerState == "paused"
    client.send(tools.client_frame(BINARY, b" bird"))
    _, wire = bridge.answer()
    assert wire.value() == b"early bird"
    assert client.wire.producerState == "producing"


def test_who_does_not_read_is_not_read_from(setup: Callable[..., Setup]) -> None:
    bridge = setup()
    client = bridge.client()
    server, wire = bridge.answer()
    client.wire.producer.pauseProducing()
    assert wire.producerState == "paused"
    client.wire.producer.resumeProducing()
    assert wire.producerState == "producing"
    wire.producer.pauseProducing()
    assert client.wire.producerState == "paused"
    wire.producer.resumeProducing()
    assert client.wire.producerState == "producing"
    server.connectionLost(Failure(ConnectionDone()))
    assert client.frames() == [(CLOSE, b"\x03\xe8")]


def test_the_server_ends(setup: Callable[..., Setup]) -> None:
    bridge = setup()
    client = bridge.client()
    server, _ = bridge.answer()
    server.dataReceived(b"bye")
    server.connectionLost(Failure(ConnectionDone()))
    assert client.frames() == [(BINARY, b"bye"), (CLOSE, b"\x03\xe8")]


def test_the_client_ends(setup: Callable[..., Setup], tools: Tools) -> None:
    bridge = setup()
    client = bridge.client()
    _, wire = bridge.answer()
    client.send(tools.client_frame(BINARY, b"bye") + tools.client_frame(CLOSE, b"\x03\xe8"))
    client.lose()
    assert (wire.value(), wire.disconnecting) == (b"bye", True)


def test_the_client_has_left_and_the_server_does_not_read(setup: Callable[..., Setup]) -> None:
    bridge = setup(stall_timeout=30)
    client = bridge.client()
    server, wire = bridge.answer()
    client.lose()
    bridge.reactor.advance(29)
    assert (wire.disconnecting, wire.aborted) == (True, False), "it may still read what was said last"
    bridge.reactor.advance(1)
    assert wire.aborted

    client = bridge.client()
    server, wire = bridge.answer()
    client.lose()
    server.connectionLost(Failure(ConnectionDone()))
    assert bridge.reactor.getDelayedCalls() == []


def test_when_both_have_ended_nothing_is_left(setup: Callable[..., Setup]) -> None:
    bridge = setup()
    client = bridge.client()
    server, _ = bridge.answer()
    server.connectionLost(Failure(ConnectionDone()))
    client.lose()
    assert bridge.reactor.getDelayedCalls() == []


def test_the_server_cannot_be_reached(setup: Callable[..., Setup]) -> None:
    bridge = setup()
    client = bridge.client()
    bridge.reactor.tcpClients[-1][2].clientConnectionFailed(bridge.reactor.connectors[-1], Failure(ConnectionRefusedError()))
    ((opcode, payload),) = client.frames()
    assert (opcode, payload[:2]) == (CLOSE, b"\x03\xf6")


def test_the_client_leaves_before_the_server_is_there(setup: Callable[..., Setup]) -> None:
    bridge = setup()
    bridge.client().lose()
    assert bridge.reactor.connectors[-1].stoppedConnecting


def test_text_is_refused(setup: Callable[..., Setup], tools: Tools) -> None:
    bridge = setup()
    client = bridge.client()
    bridge.answer()
    ((opcode, payload),) = client.send(tools.client_frame(TEXT, b"x")).frames()
    assert (opcode, payload[:2]) == (CLOSE, b"\x03\xeb")


def test_only_names_of_the_list_and_only_the_sites_own_pages(setup: Callable[..., Setup]) -> None:
    bridge = setup()
    assert bridge.refuse("/ws/tcp/ssh")[9:12] == b"404"
    assert b"5900" not in bridge.refuse("/ws/tcp/ssh")
    assert bridge.refuse("/ws/tcp/127.0.0.1:22")[9:12] == b"404"
    assert bridge.refuse(Origin="https://elsewhere.test")[9:12] == b"403"
    assert bridge.refuse(Origin="https://example.org").startswith(OPEN)
    assert setup(origins="https://elsewhere.test").refuse(Origin="https://elsewhere.test").startswith(OPEN)
    assert setup(tcp="").refuse()[9:12] == b"404"


@pytest.mark.parametrize("tcp", ["vnc", "vnc=", "=h:1", "a/b=h:1", {"a": "h"}, "a=h:0", "a=h:x", "a=::1:5", "a=unix:b", "a=:5"])
def test_wrong_lists(setup: Callable[..., Setup], tcp: object) -> None:
    with pytest.raises(BadOptions, match=r"tcp|servers|expected"):
        setup(tcp=tcp)


def test_addresses() -> None:
    kinds = {
        "127.0.0.1:5900": TCP4ClientEndpoint,
        "[::1]:5900": TCP6ClientEndpoint,
        "vnc.example.org:5900": HostnameEndpoint,
        "unix:/run/x": UNIXClientEndpoint,
    }
    reactor = MemoryReactorClock()
    assert {where: type(address_of(where, 5, reactor)) for where in kinds} == kinds
