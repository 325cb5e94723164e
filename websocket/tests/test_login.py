"""A login before a WebSocket, in both services; the auth service is a double that answers when it is told to."""

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import svckit.auth
from svckit.auth import Asked, NoEntry
from svckit.settings import BadOptions, Settings
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from websocketsvc import autobahn_service, txws_service
from websocketsvc.autobahn_protocol import Hardened
from websocketsvc.txws_protocol import WebSocketProtocol

from tests.support.no_entry import REFUSALS

from .support.fixtures import MakeSettings, Tools
from .support.wire import Client

TEXT = 1
Connect = Callable[..., Client]
Write = Callable[..., bytes]
SERVICES = {"autobahn": autobahn_service, "txws": txws_service}


class Reception:
    """Is asked, and answers with what `answer` fires with."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.answer: Deferred[Any] = Deferred()
        self.when_cancelled: NoEntry | None = None

    async def user_of(self, asked: Asked) -> bytes | NoEntry:
        self.asked.append(asked)
        try:
            found: bytes | NoEntry = await self.answer
        except CancelledError:
            return self.when_cancelled or _raise()
        return found


def _raise() -> NoEntry:
    raise CancelledError


@pytest.fixture
def reception(monkeypatch: pytest.MonkeyPatch) -> Reception:
    made = Reception()
    monkeypatch.setattr(svckit.auth, "receive", lambda *_, **__: made)
    return made


@pytest.fixture(params=SERVICES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def make(name: str, clock: Clock, tools: Tools, reception: Reception, tmp_path: Path) -> Connect:
    def connect(**options: object) -> Client:
        options = {"login": f"/ws/{name}/", **options}
        made = Settings(service=name, replica="1", state=tmp_path, auth=tmp_path, options=options)
        return tools.Client(SERVICES[name].make_factory(made, clock), clock)

    return connect


@pytest.fixture
def opening(name: str, tools: Tools) -> Write:
    def write(**fields: str | None) -> bytes:
        return tools.opening(f"/ws/{name}/echo?room=1", **fields)

    return write


BASIC = "Basic " + base64.b64encode(b"alice:wonderland").decode()


def test_a_user_is_let_in(make: Connect, opening: Write, reception: Reception, name: str, tools: Tools) -> None:
    reception.answer.callback(b"alice")
    client = make().send(opening(Authorization=BASIC))
    assert client.received().startswith(b"HTTP/1.1 101 ")
    (asked,) = reception.asked
    assert (asked.method, asked.uri) == (b"GET", f"/ws/{name}/echo?room=1".encode())
    assert (list(asked.authorization), asked.client) == ([BASIC.encode()], b"192.0.2.7")
    assert client.send(tools.client_frame(TEXT, b"hello")).frames() == [(TEXT, b"hello")]
    assert len(reception.asked) == 1


def test_the_conversation_knows_the_user_and_not_the_password(make: Connect, opening: Write, reception: Reception) -> None:
    reception.answer.callback("ålice".encode())
    client = make().send(opening(Authorization=BASIC))
    conversation = client.door._conversation
    assert isinstance(conversation, Hardened | WebSocketProtocol)
    assert conversation.handshake.user == "ålice"
    assert "authorization" not in conversation.handshake.request.fields
    assert "authorization" not in getattr(conversation, "http_headers", {})
    with capturedLogs() as events:
        client.lose()
    assert [event["user"] for event in events if event["log_namespace"] == "access"] == ["ålice"]


@pytest.mark.parametrize("status", REFUSALS)
def test_who_is_not_let_in_learns_why(make: Connect, opening: Write, reception: Reception, status: int) -> None:
    client = make().send(opening())
    reception.answer.callback(REFUSALS[status])
    answer = client.received()
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    for header, value in REFUSALS[status].headers:
        assert b"\r\n%b: %b\r\n" % (header, value) in answer
    assert client.wire.half_closed and not client.wire.aborted
    assert client.door._conversation is None


def test_nothing_begins_and_nothing_is_read_before_the_answer(
    make: Connect, opening: Write, reception: Reception, tools: Tools, clock: Clock
) -> None:
    client = make().send(opening() + tools.client_frame(TEXT, b"one"))
    assert client.wire.producerState == "paused"
    assert client.door._conversation is None
    client.send(tools.client_frame(TEXT, b"two"))  # was under way
    clock.advance(1000)  # the deadline was for the head
    assert client.received() == b""
    reception.answer.callback(b"alice")
    head, _, frames = client.received().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 ")
    assert tools.server_frames(frames) == [(TEXT, b"one"), (TEXT, b"two")]
    assert client.wire.producerState == "producing"


def test_the_opening_request_byte_by_byte(make: Connect, opening: Write, reception: Reception, tools: Tools) -> None:
    client = make()
    for byte in opening() + tools.client_frame(TEXT, b"one"):
        client.send(bytes((byte,)))
    reception.answer.callback(b"alice")
    head, _, frames = client.received().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 ")
    assert tools.server_frames(frames) == [(TEXT, b"one")]
    assert len(reception.asked) == 1


@pytest.mark.parametrize("answer", [None, REFUSALS[503]])
def test_a_client_that_leaves_meanwhile(
    make: Connect, opening: Write, reception: Reception, clock: Clock, answer: NoEntry | None
) -> None:
    reception.when_cancelled = answer
    client = make().send(opening())
    with capturedLogs() as events:
        client.lose()
        reception.answer.callback(b"alice")
    assert not any("log_failure" in event for event in events)
    assert client.received() == b""
    assert client.door._conversation is None
    assert clock.getDelayedCalls() == []


def test_a_service_that_shuts_down_meanwhile(make: Connect, opening: Write, reception: Reception) -> None:
    client = make().send(opening())
    client.door.expire()
    assert client.received().startswith(b"HTTP/1.1 503 ")
    reception.answer.callback(b"alice")
    assert client.received() == b""
    assert client.door._conversation is None


def test_a_fault_of_ours_lets_nobody_in(make: Connect, opening: Write, reception: Reception) -> None:
    client = make().send(opening())
    with capturedLogs() as events:
        reception.answer.errback(RuntimeError("bug"))
    assert client.received().startswith(b"HTTP/1.1 500 ")
    assert any("log_failure" in event for event in events)


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (None, b"101"),
        ("http://example.org", b"101"),
        ("https://EXAMPLE.org", b"101"),
        ("https://evil.example", b"403"),
        ("http://example.org:81", b"403"),
        ("null", b"403"),
        ("http://[", b"403"),
    ],
)
def test_a_strangers_page_does_not_speak_for_the_user(
    make: Connect, opening: Write, reception: Reception, origin: str | None, status: bytes
) -> None:
    reception.answer.callback(b"alice")
    assert make().send(opening(Origin=origin, Authorization=BASIC)).received()[9:12] == status
    assert len(reception.asked) == (status == b"101")


def test_origins_that_are_named_may_connect(make: Connect, opening: Write, reception: Reception) -> None:
    reception.answer.callback(b"alice")
    client = make(origins="https://friend.example").send(opening(Origin="https://friend.example", Authorization=BASIC))
    assert client.received()[9:12] == b"101"


def test_only_below_the_prefix(make: Connect, opening: Write, reception: Reception, name: str, tools: Tools) -> None:
    mounts = dict.fromkeys((f"/ws/{name}/echo", f"/ws/{name}/private/echo"), _echo(name))
    client = make(login=f"/ws/{name}/private/", mounts=mounts).send(opening())
    assert client.received()[9:12] == b"101"
    assert reception.asked == []
    client = make(login=f"/ws/{name}/private", mounts=mounts).send(tools.opening(f"/ws/{name}//%70rivate/echo"))
    reception.answer.callback(REFUSALS[401])
    assert client.received()[9:12] == b"401"


def _echo(name: str) -> str:
    return {"autobahn": "websocketsvc.echo_autobahn.AutobahnEcho", "txws": "websocketsvc.echo_stream.EchoFactory"}[name]


def test_off_unless_it_is_asked_for(make: Connect, opening: Write, reception: Reception) -> None:
    assert make(login="").send(opening()).received()[9:12] == b"101"
    assert reception.asked == []


@pytest.mark.parametrize(
    ("login", "text"),
    [("/ws/other/", "login: '/ws/other/': no WebSocket"), ("ws", "login: 'ws': a prefix"), ("/ws/ /ws", "login: '/ws' stands")],
)
def test_a_prefix_that_protects_nothing_is_a_mistake(make: Connect, login: str, text: str) -> None:
    with pytest.raises(BadOptions, match=text):
        make(login=login)


def test_a_login_with_nobody_to_ask_is_a_mistake(settings: MakeSettings, clock: Clock, name: str) -> None:
    with pytest.raises(BadOptions, match=f"{name}: login: there is no auth service"):
        SERVICES[name].make_factory(settings(name, login="/ws/"), clock)


def test_the_real_reception_is_made_from_the_settings(clock: Clock, tmp_path: Path, name: str, tools: Tools) -> None:
    """With nobody there: 503, and never open."""
    made = Settings(service=name, replica="1", state=tmp_path, auth=tmp_path / "none", options={"login": "/ws/"})
    answer = tools.Client(SERVICES[name].make_factory(made, clock), clock).send(tools.opening(f"/ws/{name}/echo")).received()
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nRetry-After: 2\r\n" in answer
