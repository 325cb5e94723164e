"""txWS with sound framing, over a transport in memory."""

import io

import pytest
import txws
from twisted.internet.protocol import Factory, Protocol
from twisted.protocols.basic import FileSender
from websocketsvc.door import DoorFactory
from websocketsvc.events import BINARY, CLOSE, PING, PONG, TEXT
from websocketsvc.mounts import Mount
from websocketsvc.options import TxwsOptions
from websocketsvc.txws_protocol import WebSocketFactory, WebSocketProtocol

EMPTY = b""


class Wrapped(Protocol):
    """Writes down what it gets; does what it is told as the first thing."""

    at_once = staticmethod(lambda transport: None)

    def connectionMade(self) -> None:
        self.got: list[object] = []
        self.lost: list[object] = []
        self.at_once(self.transport)

    def dataReceived(self, data) -> None:
        self.got.append(data)
        if data == b"fail":
            raise RuntimeError("the application is wrong")

    def connectionLost(self, reason) -> None:
        self.lost.append(reason)


class Setup:
    def __init__(self, tools, clock, **options) -> None:
        self.tools, self.clock = tools, clock
        self.options = TxwsOptions(**{"ping_interval": 0, "subprotocols": "b c", **options})
        self.wrapped: list[Wrapped] = []
        factory = Factory.forProtocol(Wrapped)
        build = factory.buildProtocol
        factory.buildProtocol = lambda addr: self.wrapped.append(build(addr)) or self.wrapped[-1]
        self.factory = WebSocketFactory(factory, self.options, clock)
        self.doors = DoorFactory([Mount(b"/", self.factory)], self.options, clock)

    def connect(self, **changed):
        return self.tools.Client(self.doors, self.clock).open("/", **changed)

    def __call__(self):
        client = self.connect()
        return client, self.wrapped[-1]


@pytest.fixture
def setup(tools, clock):
    return lambda **options: Setup(tools, clock, **options)


@pytest.fixture
def frame(tools):
    return tools.client_frame


# -- it is txWS


def test_txws_is_subclassed() -> None:
    assert issubclass(WebSocketFactory, txws.WebSocketFactory)
    assert issubclass(WebSocketProtocol, txws.WebSocketProtocol)


def test_the_handshake_is_answered_by_txws(tools, clock, setup) -> None:
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
def test_subprotocol(tools, clock, setup, offered: str, chosen: str | None) -> None:
    made = setup()
    client = tools.Client(made.doors, clock).send(tools.opening("/", Sec_WebSocket_Protocol=offered))
    line = f"Sec-WebSocket-Protocol: {chosen}".encode()
    assert (line in client.received().split(b"\r\n")) == (chosen is not None)
    assert made.wrapped[0].transport.subprotocol == chosen


def test_the_wrapped_protocol_sees_a_plain_transport(setup) -> None:
    made = setup()
    client = made.connect(User_Agent="x")
    transport = made.wrapped[0].transport
    assert transport.getPeer().host == "192.0.2.7"
    assert transport.handshake.request.fields["user-agent"] == ["x"]
    transport.write(b"one")
    transport.writeSequence([b"t", b"wo"])
    assert client.frames() == [(BINARY, b"one"), (BINARY, b"two")]


def test_early_writes_wait_for_the_handshake(tools, clock, setup, monkeypatch) -> None:
    monkeypatch.setattr(Wrapped, "at_once", staticmethod(lambda transport: transport.write(b"early")))
    client = tools.Client(setup().doors, clock).send(tools.opening("/"))
    head, _, rest = client.received().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101") and tools.server_frames(rest) == [(BINARY, b"early")]


def test_a_connection_that_is_not_wanted_is_closed_after_the_handshake(tools, clock, setup, monkeypatch) -> None:
    monkeypatch.setattr(Wrapped, "at_once", staticmethod(lambda transport: transport.loseConnection()))
    client = tools.Client(setup().doors, clock).send(tools.opening("/"))
    _head, _, rest = client.received().partition(b"\r\n\r\n")
    assert tools.server_frames(rest) == [(CLOSE, b"\x03\xe8")]


def test_a_wrapped_factory_may_decline(tools, clock, setup) -> None:
    made = setup()
    made.factory.wrappedFactory.buildProtocol = lambda addr: None
    assert tools.Client(made.doors, clock).send(tools.opening("/")).received().startswith(b"HTTP/1.1 503 ")


# -- messages


def test_bytes_behind_the_handshake_are_not_lost(tools, clock, setup, frame) -> None:
    made = setup()
    tools.Client(made.doors, clock).send(tools.opening("/") + frame(TEXT, b"one") + frame(TEXT, b"two")[:3])
    assert made.wrapped[0].got == [b"one"]


def test_messages_reassembled_and_pings_answered_in_order(setup, frame) -> None:
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
def test_the_kind_of_frame(setup, frame, heard: int | None, written: bytes | str, sent: tuple[int, bytes]) -> None:
    client, wrapped = setup()()
    if heard:
        client.send(frame(heard, b"x"))
    wrapped.transport.write(written)
    assert client.frames() == [sent]


def test_binary_mode_of_txws(setup, frame) -> None:
    client, wrapped = setup()()
    wrapped.transport.setBinaryMode(True)
    client.send(frame(TEXT, "é".encode()) + frame(BINARY, b"\xff"))
    assert wrapped.got == ["é", b"\xff"]
    wrapped.transport.write("é")
    wrapped.transport.write(b"e")
    assert client.frames() == [(TEXT, "é".encode()), (BINARY, b"e")]


def test_an_application_that_fails(setup, frame) -> None:
    client, wrapped = setup()()
    client.send(frame(TEXT, b"fail") + frame(TEXT, b"more"))
    assert client.frames() == [(CLOSE, b"\x03\xf3")]
    assert wrapped.got == [b"fail"] and client.wire.half_closed


# -- violations


@pytest.mark.parametrize(
    ("stream", "code"),
    [
        (b"\x81\x05Hello", 1002),
        (b"\xc1\x80\0\0\0\0", 1002),
        (b"\x83\x80\0\0\0\0", 1002),
        (b"\x81\x81\0\0\0\0\xff", 1007),
        (b"\x82\xff\0\0\0\0\0\x10\0\1", 1009),
        (b"\x88\x82\0\0\0\0\x03\xed", 1002),
    ],
)
def test_a_violation_is_answered_with_its_code_and_nothing_more_is_taken(setup, frame, clock, stream: bytes, code: int) -> None:
    client, wrapped = setup()()
    client.send(stream.ljust(20, b"\0") + frame(TEXT, b"late"))
    client.send(frame(TEXT, b"later"))
    ((opcode, payload),) = client.frames()
    assert (opcode, int.from_bytes(payload[:2], "big")) == (CLOSE, code)
    assert client.wire.half_closed and not client.wire.aborted and wrapped.got == []
    clock.advance(2)
    assert client.wire.aborted


def test_the_limit_on_messages(setup, frame) -> None:
    client, wrapped = setup(max_message=10)()
    client.send(frame(TEXT, b"x" * 10))
    assert wrapped.got == [b"x" * 10]
    client.send(frame(TEXT, b"x" * 11))
    assert client.frames()[-1][1][:2] == b"\x03\xf1"


# -- closing


@pytest.mark.parametrize(("sent", "answer"), [(b"", b""), (b"\x03\xe8", b"\x03\xe8"), (b"\x0f\xa0bye", b"\x0f\xa0")])
def test_the_client_closes(setup, frame, clock, sent: bytes, answer: bytes) -> None:
    client, wrapped = setup()()
    client.send(frame(CLOSE, sent) + frame(TEXT, b"late"))
    assert client.frames() == [(CLOSE, answer)]
    assert client.wire.half_closed and wrapped.got == []
    wrapped.transport.write(b"too late")
    assert client.frames() == []
    client.lose()
    assert len(wrapped.lost) == 1 and clock.getDelayedCalls() == []


def test_the_wrapped_protocol_closes(setup, frame, clock) -> None:
    client, wrapped = setup()()
    wrapped.transport.write(b"last")
    wrapped.transport.loseConnection()
    wrapped.transport.write(b"too late")
    wrapped.transport.loseConnection()
    assert client.frames() == [(BINARY, b"last"), (CLOSE, b"\x03\xe8")]
    assert not client.wire.closing and wrapped.transport.disconnecting
    client.send(frame(TEXT, b"crossed on the way") + frame(PING) + frame(CLOSE, b"\x03\xe8"))
    assert client.frames() == [] and wrapped.got == []
    assert client.wire.half_closed


def test_a_client_that_does_not_answer_a_close(setup, clock) -> None:
    client, wrapped = setup()()
    wrapped.transport.loseConnection()
    clock.advance(1.9)
    assert not client.wire.aborted
    clock.advance(0.1)
    assert client.wire.aborted


def test_a_violation_instead_of_the_clients_close(setup) -> None:
    client, wrapped = setup()()
    wrapped.transport.loseConnection()
    client.send(b"\x81\x05Hello")
    assert client.frames() == [(CLOSE, b"\x03\xe8")]
    assert client.wire.half_closed


def test_close_with_a_code_and_a_reason(setup) -> None:
    client, wrapped = setup()()
    with pytest.raises(ValueError):
        wrapped.transport.close("no", 1006)
    wrapped.transport.close("full", 4001)
    assert client.frames() == [(CLOSE, b"\x0f\xa1full")]


def test_abort(setup) -> None:
    client, wrapped = setup()()
    wrapped.transport.abortConnection()
    assert client.frames() == [] and client.wire.aborted


def test_expire(setup, clock, frame) -> None:
    client, _wrapped = setup()()
    client.door.drain()
    assert client.frames() == []
    client.door.expire()
    client.door.expire()
    clock.advance(1)
    assert client.frames() == [(CLOSE, b"\x03\xe9going away")]
    clock.advance(2)
    assert client.wire.aborted


def test_expire_of_one_that_is_closing_already(setup, frame) -> None:
    client, _wrapped = setup()()
    client.send(frame(CLOSE))
    client.door.expire()
    assert client.frames() == [(CLOSE, b"")]


# -- back-pressure


def test_a_client_that_does_not_read_is_not_read_from(setup, frame) -> None:
    client, wrapped = setup()()
    flow = client.wire.producer
    flow.pauseProducing()
    client.send(frame(TEXT, b"one") + frame(PING))
    assert wrapped.got == [] and client.frames() == [] and client.wire.producerState == "paused"
    flow.resumeProducing()
    assert wrapped.got == [b"one"] and client.frames() == [(PONG, b"")]
    assert client.wire.producerState == "producing"


def test_what_waits_is_handed_on_piece_by_piece_as_there_is_room(setup, frame) -> None:
    client, wrapped = setup()()
    flow = client.wire.producer
    wrapped.dataReceived = lambda data: (wrapped.got.append(data), flow.pauseProducing())
    client.send(frame(TEXT, b"1") + frame(TEXT, b"2") + frame(TEXT, b"3"))
    assert wrapped.got == [b"1"]
    flow.resumeProducing()
    assert wrapped.got == [b"1", b"2"] and client.wire.producerState == "paused"


def test_the_wrapped_protocol_stops_reading(setup, frame) -> None:
    client, wrapped = setup()()
    wrapped.transport.pauseProducing()
    client.send(frame(TEXT, b"one"))
    assert wrapped.got == [] and client.wire.producerState == "paused"
    wrapped.transport.resumeProducing()
    assert wrapped.got == [b"one"] and client.wire.producerState == "producing"


def test_a_client_that_never_reads_is_cut(setup, clock) -> None:
    client, _wrapped = setup(stall_timeout=30)()
    client.wire.producer.pauseProducing()
    clock.advance(29)
    assert not client.wire.aborted
    clock.advance(1)
    assert client.wire.aborted


def test_a_close_gets_through_to_one_that_is_stuck(setup, frame, clock) -> None:
    client, wrapped = setup()()
    client.wire.producer.pauseProducing()
    client.send(frame(TEXT, b"waiting"))
    client.door.expire()
    client.send(frame(CLOSE, b"\x03\xe9"))
    assert client.frames() == [(CLOSE, b"\x03\xe9going away")]
    assert client.wire.half_closed and wrapped.got == []


def test_a_file_is_sent_and_then_the_connection_closed(setup, clock) -> None:
    client, wrapped = setup()()
    sending = FileSender().beginFileTransfer(io.BytesIO(b"z" * 100_000), wrapped.transport)
    wrapped.transport.loseConnection()
    clock.advance(0)
    frames = client.frames()
    assert b"".join(payload for opcode, payload in frames if opcode == BINARY) == b"z" * 100_000
    assert frames[-1] == (CLOSE, b"\x03\xe8")
    assert sending.called


def test_a_producer_hears_that_the_connection_is_lost(setup) -> None:
    class Producer:
        stopped = False

        def stopProducing(self) -> None:
            self.stopped = True

    client, wrapped = setup()()
    producer = Producer()
    wrapped.transport.registerProducer(producer, True)
    client.wire.producer.stopProducing()
    assert producer.stopped


# -- keep-alive


def test_a_silent_client_is_pinged_and_then_cut(setup, clock) -> None:
    client, _wrapped = setup(ping_interval=20)()
    clock.advance(20)
    assert client.frames() == [(PING, b"")]
    clock.advance(20)
    assert client.wire.aborted


def test_whatever_arrives_is_a_sign_of_life(setup, clock, frame) -> None:
    client, wrapped = setup(ping_interval=20)()
    for piece in frame(TEXT, b"slow"):
        clock.advance(19)
        client.send(bytes((piece,)))
    assert client.frames() == [] and wrapped.got == [b"slow"]


def test_a_pong_is_enough(setup, clock, frame) -> None:
    client, _wrapped = setup(ping_interval=20)()
    clock.advance(20)
    client.send(frame(PONG))
    clock.advance(20)
    assert client.frames() == [(PING, b"")] and not client.wire.aborted


def test_no_timer_outlives_the_connection(setup, clock, frame) -> None:
    client, wrapped = setup(ping_interval=20)()
    client.wire.producer.pauseProducing()
    client.lose()
    assert clock.getDelayedCalls() == [] and len(wrapped.lost) == 1
    client.send(frame(TEXT, b"late"))
    assert wrapped.got == []


# -- the log


@pytest.mark.parametrize(
    ("end", "code", "by"),
    [
        (lambda client, wrapped, frame: client.send(frame(CLOSE, b"\x0f\xa0")), 4000, "client"),
        (lambda client, wrapped, frame: client.send(frame(CLOSE)), 1005, "client"),
        (lambda client, wrapped, frame: client.door.expire(), 1001, "service"),
        (lambda client, wrapped, frame: client.send(b"\x81\x00"), 1002, "service"),
        (lambda client, wrapped, frame: None, 1006, "network"),
    ],
)
def test_ending(setup, frame, end, code: int, by: str) -> None:
    client, wrapped = setup()()
    client.send(frame(TEXT, b"1") + frame(TEXT, b"2"))
    wrapped.transport.write(b"3")
    conversation = wrapped.transport
    end(client, wrapped, frame)
    client.lose()
    ending = conversation.ending()
    assert (ending.code, ending.by, ending.received, ending.sent) == (code, by, 2, 1)


# -- slow readers, kinds of messages


def test_what_is_said_to_a_client_that_does_not_read_is_bounded(setup, clock) -> None:
    client, wrapped = setup(max_unsent=1000)()
    client.wire.producer.pauseProducing()
    for _ in range(100):
        wrapped.transport.write(b"x" * 98)
    frames = client.frames()
    assert frames[:-1] == [(BINARY, b"x" * 98)] * 11
    assert frames[-1] == (CLOSE, b"\x03\xf0you do not read what you are sent")
    clock.advance(2)
    assert client.wire.aborted


def test_who_reads_again_may_be_told_more(setup) -> None:
    client, wrapped = setup(max_unsent=1000)()
    for _ in range(10):
        client.wire.producer.pauseProducing()
        wrapped.transport.write(b"x" * 900)
        client.wire.producer.resumeProducing()
    assert len(client.frames()) == 10


def test_text_only(setup, frame) -> None:
    client, wrapped = setup(frames="text")()
    wrapped.transport.write("caf\u00e9 \u20ac".encode()[:-2])
    wrapped.transport.write("\u20ac".encode()[-2:] + b"!")
    wrapped.transport.write(b"")
    assert client.frames() == [(TEXT, "caf\u00e9 ".encode()), (TEXT, "\u20ac!".encode()), (TEXT, b"")]
    client.send(frame(TEXT, b"in"))
    assert wrapped.got == [b"in"]
    client.send(frame(BINARY, b"in"))
    assert client.frames() == [(CLOSE, b"\x03\xebtext messages only")]


def test_text_that_is_none_is_the_applications_fault(setup) -> None:
    client, wrapped = setup(frames="text")()
    wrapped.transport.write(b"\xff")
    wrapped.transport.write(b"more")
    assert client.frames() == [(CLOSE, b"\x03\xf3")]


def test_binary_only(setup, frame) -> None:
    client, wrapped = setup(frames="binary")()
    wrapped.transport.write(b"out")
    assert client.send(frame(BINARY, b"in")).frames() == [(BINARY, b"out")]
    assert client.send(frame(TEXT, b"in")).frames() == [(CLOSE, b"\x03\xebbinary messages only")]


def test_a_protocol_may_want_to_know_when_it_has_begun(setup, frame, tools, monkeypatch) -> None:
    begun: list[str] = []
    monkeypatch.setattr(Wrapped, "begun", lambda self: begun.append(self.transport.handshake.request.target), raising=False)
    made = setup()
    client = tools.Client(made.doors, made.clock)
    client.send(tools.opening("/?x=1") + frame(TEXT, b"a"))
    assert (begun, made.wrapped[-1].got) == (["/?x=1"], [b"a"])
