import pytest
from autobahn.websocket import USES_NVX
from svckit.settings import BadOptions
from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from websocketsvc import autobahn_service
from websocketsvc.autobahn_service import make_factory

from .support.fixtures import MakeSettings, Tools

TEXT, BINARY = 1, 2


def test_the_echo_is_mounted(settings: MakeSettings, clock: Clock, tools: Tools) -> None:
    factory = make_factory(settings("autobahn"), clock)
    assert IProtocolFactory.providedBy(factory)
    client = tools.Client(factory, clock).open("/ws/autobahn/echo")
    client.send(tools.client_frame(TEXT, b"hello") + tools.client_frame(BINARY, b"\xff"))
    assert client.frames() == [(TEXT, b"hello"), (BINARY, b"\xff")]


def test_several_mounts(settings: MakeSettings, clock: Clock, tools: Tools) -> None:
    echo = "websocketsvc.echo_autobahn.AutobahnEcho"
    factory = make_factory(settings("autobahn", mounts={"/a": echo, "/b": echo}), clock)
    for path in ("/a", "/b"):
        assert tools.Client(factory, clock).open(path).send(tools.client_frame(TEXT, b"x")).frames() == [(TEXT, b"x")]
    assert tools.Client(factory, clock).send(tools.opening("/ws/autobahn/echo")).received()[9:12] == b"404"


@pytest.mark.parametrize("name", ["json.dumps", "builtins.dict", "websocketsvc.echo_stream.EchoFactory"])
def test_what_is_no_protocol_of_autobahns(settings: MakeSettings, clock: Clock, name: str) -> None:
    with pytest.raises(BadOptions, match="WebSocketServerProtocol"):
        make_factory(settings("autobahn", mounts=f"/x={name}"), clock)


@pytest.mark.parametrize("present", [True, False])
def test_a_missing_accelerator_is_warned_of(
    settings: MakeSettings, clock: Clock, monkeypatch: pytest.MonkeyPatch, present: bool
) -> None:
    monkeypatch.setattr(autobahn_service, "USES_NVX", present)
    with capturedLogs() as events:
        make_factory(settings("autobahn"), clock)
    assert ["NVX" in event["log_format"] for event in events] == ([] if present else [True])


def test_the_environment_has_the_accelerator() -> None:
    assert USES_NVX
