"""txWS with sound framing, over a transport in memory: what it is, and messages."""

import pytest
import txws
from twisted.internet.task import Clock
from websocketsvc.events import BINARY, CLOSE, PING, PONG, TEXT
from websocketsvc.txws_factory import WebSocketFactory
from websocketsvc.txws_protocol import WebSocketProtocol

from .support.fixtures import Frame, MakeSetup, Tools
from .support.txws_setup import Wrapped

EMPTY = b""


# -- it is txWS


def test_txws_is_subclassed() -> None:
    assert issubclass(WebSocketFactory, txws.WebSocketFactory)
    assert issubclass(WebSocketProtocol, txws.WebSocketProtocol)


def test_the_handshake_is_answered_by_txws(tools: Tools, clock: Clock, setup: MakeSetup) -> None:
    client = tools.Client(setup().doors, clock).send(tools.opening("/"))
    assert client.received().split(b"\r\n") == [
        b"HTTP/1.1 101 Switching Protocols",
        b"Upgrade: websocket",
        b"Connection: Upgrade",
        b"Sec-WebSocket-Accept: " + tools.ACCEPT,
        b"",
        b"",
    ]


@pytest.mark.parametrize(("offered", "chosen"), [("a", None), ("a, c, b", "c"), ("b", "b"), ("base64", None)])
def test_subprotocol(tools: Tools, clock: Clock, setup: MakeSetup, offered: str, chosen: str | None) -> None:
    made = setup()
    client = tools.Client(made.doors, clock).send(tools.opening("/", Sec_WebSocket_Protocol=offered))
    line = f"Sec-WebSocket-Protocol: {chosen}".encode()
    assert (line in client.received().split(b"\r\n")) == (chosen is not None)
    assert made.wrapped[0].transport.subprotocol == chosen


def test_the_wrapped_protocol_sees_a_plain_transport(setup: MakeSetup) -> None:
    made = setup()
    client = made.connect(User_Agent="x")
    transport = made.wrapped[0].transport
    assert transport.getPeer().host == "192.0.2.7"
    assert transport.handshake.request.fields["user-agent"] == ["x"]
    transport.write(b"one")
    transport.writeSequence([b"t", b"wo"])
    assert client.frames() == [(BINARY, b"one"), (BINARY, b"two")]


def test_early_writes_wait_for_the_handshake(
    tools: Tools, clock: Clock, setup: MakeSetup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Wrapped, "at_once", staticmethod(lambda transport: transport.write(b"early")))
    client = tools.Client(setup().doors, clock).send(tools.opening("/"))
    head, _, rest = client.received().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101") and tools.server_frames(rest) == [(BINARY, b"early")]


def test_a_connection_that_is_not_wanted_is_closed_after_the_handshake(
    tools: Tools, clock: Clock, setup: MakeSetup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Wrapped, "at_once", staticmethod(lambda transport: transport.loseConnection()))
    client = tools.Client(setup().doors, clock).send(tools.opening("/"))
    _head, _, rest = client.received().partition(b"\r\n\r\n")
    assert tools.server_frames(rest) == [(CLOSE, b"\x03\xe8")]


def test_a_wrapped_factory_may_decline(tools: Tools, clock: Clock, setup: MakeSetup) -> None:
    made = setup()
    made.factory.wrappedFactory.buildProtocol = lambda addr: None
    assert tools.Client(made.doors, clock).send(tools.opening("/")).received().startswith(b"HTTP/1.1 503 ")


# -- messages


def test_bytes_behind_the_handshake_are_not_lost(tools: Tools, clock: Clock, setup: MakeSetup, frame: Frame) -> None:
    made = setup()
    tools.Client(made.doors, clock).send(tools.opening("/") + frame(TEXT, b"one") + frame(TEXT, b"two")[:3])
    assert made.wrapped[0].got == [b"one"]


def test_messages_reassembled_and_pings_answered_in_order(setup: MakeSetup, frame: Frame) -> None:
    client, wrapped = setup()()
    client.send(frame(TEXT, b"a", fin=False) + frame(PING, b"p") + frame(0, b"b") + frame(PONG, b"unasked"))
    assert wrapped.got == [b"ab"]
    assert client.frames() == [(PONG, b"p")]


@pytest.mark.parametrize(
    ("heard", "written", "sent"),
    [
        (None, b"x", (BINARY, b"x")),
        (TEXT, b"x", (TEXT, b"x")),
        (TEXT, b"\xff", (BINARY, b"\xff")),
        (BINARY, b"x", (BINARY, b"x")),
        (BINARY, "é", (TEXT, b"\xc3\xa9")),
        (TEXT, EMPTY, (TEXT, EMPTY)),
    ],
)
def test_the_kind_of_frame(
    setup: MakeSetup, frame: Frame, heard: int | None, written: bytes | str, sent: tuple[int, bytes]
) -> None:
    client, wrapped = setup()()
    if heard:
        client.send(frame(heard, b"x"))
    wrapped.transport.write(written)
    assert client.frames() == [sent]


def test_binary_mode_of_txws(setup: MakeSetup, frame: Frame) -> None:
    client, wrapped = setup()()
    wrapped.transport.setBinaryMode(True)
    client.send(frame(TEXT, "é".encode()) + frame(BINARY, b"\xff"))
    assert wrapped.got == ["é", b"\xff"]
    wrapped.transport.write("é")
    wrapped.transport.write(b"e")
    assert client.frames() == [(TEXT, "é".encode()), (BINARY, b"e")]


def test_an_application_that_fails(setup: MakeSetup, frame: Frame) -> None:
    client, wrapped = setup()()
    client.send(frame(TEXT, b"fail") + frame(TEXT, b"more"))
    assert client.frames() == [(CLOSE, b"\x03\xf3")]
    assert wrapped.got == [b"fail"] and client.wire.half_closed


# -- slow readers, kinds of messages


def test_text_only(setup: MakeSetup, frame: Frame) -> None:
    client, wrapped = setup(frames="text")()
    wrapped.transport.write("caf\u00e9 \u20ac".encode()[:-2])
    wrapped.transport.write("\u20ac".encode()[-2:] + b"!")
    wrapped.transport.write(b"")
    assert client.frames() == [(TEXT, "caf\u00e9 ".encode()), (TEXT, "\u20ac!".encode()), (TEXT, b"")]
    client.send(frame(TEXT, b"in"))
    assert wrapped.got == [b"in"]
    client.send(frame(BINARY, b"in"))
    assert client.frames() == [(CLOSE, b"\x03\xebtext messages only")]


def test_text_that_is_none_is_the_applications_fault(setup: MakeSetup) -> None:
    client, wrapped = setup(frames="text")()
    wrapped.transport.write(b"\xff")
    wrapped.transport.write(b"more")
    assert client.frames() == [(CLOSE, b"\x03\xf3")]


def test_binary_only(setup: MakeSetup, frame: Frame) -> None:
    client, wrapped = setup(frames="binary")()
    wrapped.transport.write(b"out")
    assert client.send(frame(BINARY, b"in")).frames() == [(BINARY, b"out")]
    assert client.send(frame(TEXT, b"in")).frames() == [(CLOSE, b"\x03\xebbinary messages only")]


def test_a_protocol_may_want_to_know_when_it_has_begun(
    setup: MakeSetup, frame: Frame, tools: Tools, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str] = []
    monkeypatch.setattr(Wrapped, "begun", lambda self: begun.append(self.transport.handshake.request.target), raising=False)
    made = setup()
    client = tools.Client(made.doors, made.clock)
    client.send(tools.opening("/?x=1") + frame(TEXT, b"a"))
    assert (begun, made.wrapped[-1].got) == (["/?x=1"], [b"a"])
