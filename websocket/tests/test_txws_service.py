import pytest
from svckit.settings import BadOptions
from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from websocketsvc.echo_stream import Echo
from websocketsvc.txws_factory import WebSocketFactory
from websocketsvc.txws_service import make_factory

from .support.fixtures import MakeSettings, Tools

ready_made = Factory.forProtocol(Echo)
TEXT = 1


def test_the_echo_is_mounted(settings: MakeSettings, clock: Clock, tools: Tools) -> None:
    factory = make_factory(settings("txws"), clock)
    assert IProtocolFactory.providedBy(factory)
    client = tools.Client(factory, clock).open("/ws/txws/echo")
    assert client.send(tools.client_frame(TEXT, b"hello")).frames() == [(TEXT, b"hello")]


@pytest.mark.parametrize("name", ["websocketsvc.echo_stream.EchoFactory", "twisted.internet.protocol.Factory"])
def test_a_factory_by_its_class(settings: MakeSettings, clock: Clock, name: str) -> None:
    assert make_factory(settings("txws", mounts=f"/x={name}"), clock).mounts.by_path[b"/x"]


def test_a_factory_that_is_made_already(
    settings: MakeSettings, clock: Clock, tools: Tools, monkeypatch: pytest.MonkeyPatch
) -> None:
    import websocketsvc.echo_stream

    monkeypatch.setattr(websocketsvc.echo_stream, "ready_made", ready_made, raising=False)
    factory = make_factory(settings("txws", mounts={"/a": "websocketsvc.echo_stream.ready_made"}), clock)
    mounted = factory.mounts.by_path[b"/a"].factory
    assert isinstance(mounted, WebSocketFactory) and mounted.wrappedFactory is ready_made


@pytest.mark.parametrize("name", ["json.dumps", "sys.version", "websocketsvc.echo_stream.Echo", "builtins.dict"])
def test_what_is_no_factory(settings: MakeSettings, clock: Clock, name: str) -> None:
    with pytest.raises(BadOptions, match="cannot mount"):
        make_factory(settings("txws", mounts=f"/x={name}"), clock)


def test_options_reach_the_conversation(settings: MakeSettings, clock: Clock, tools: Tools) -> None:
    factory = make_factory(settings("txws", max_message="3", subprotocols="x y", origins="https://a"), clock)
    client = tools.Client(factory, clock).open("/ws/txws/echo", Sec_WebSocket_Protocol="y", Origin="https://a")
    ((_opcode, payload),) = client.send(tools.client_frame(TEXT, b"four")).frames()
    assert payload[:2] == b"\x03\xf1"
    assert tools.Client(factory, clock).send(tools.opening("/ws/txws/echo", Origin="https://b")).received()[9:12] == b"403"
