"""Autobahn hardened, over a transport in memory: the handshake, messages, and the settings of a mount."""

import pytest
import txaio.tx
from autobahn.twisted.websocket import WebSocketServerProtocol
from autobahn.websocket.types import ConnectionDeny, ConnectionRequest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from websocketsvc.autobahn_parts import PIECES
from websocketsvc.autobahn_protocol import Hardened, harden

from .support.autobahn_setup import BINARY, CLOSE, PING, PONG, TEXT, Chat
from .support.fixtures import Frame, MakeChat, Tools

# -- the handshake


def test_the_answer(make_chat: MakeChat, tools: Tools) -> None:
    lines = make_chat().send(tools.opening("/", X="\x85Y: z", Cookie="a=b")).received().split(b"\r\n")
    assert lines[0] == b"HTTP/1.1 101 Switching Protocols"
    assert b"Sec-WebSocket-Accept: " + tools.ACCEPT in lines
    assert not any(line.lower().startswith(b"server") for line in lines)
    headers = Chat.made[0].request.headers
    assert headers["cookie"] == "a=b" and "y" not in headers
    assert Chat.made[0].request.peer == "tcp4:192.0.2.7:40000"


def test_bytes_behind_the_handshake_are_not_lost(make_chat: MakeChat, tools: Tools, frame: Frame) -> None:
    make_chat().send(tools.opening("/") + frame(TEXT, b"one") + frame(TEXT, b"two")[:3])
    assert Chat.made[0].got == [(b"one", False)]


def test_forwarded_headers_are_not_believed(make_chat: MakeChat) -> None:
    make_chat().open("/", X_Forwarded_For="203.0.113.9")
    assert Chat.made[0].peer == "tcp4:192.0.2.7:40000"


@pytest.mark.parametrize(("code", "status"), [(403, b"403 Forbidden"), (799, b"403 Forbidden"), (404, b"404 Not Found")])
def test_a_users_denial_is_a_whole_answer(make_chat: MakeChat, tools: Tools, code: int, status: bytes) -> None:
    class Shy(WebSocketServerProtocol):
        def onConnect(self, request: ConnectionRequest) -> None:
            raise ConnectionDeny(code, "members only")

    client = make_chat(Shy).send(tools.opening("/"))
    head, _, body = client.received().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 " + status) and body == b"members only\n"
    assert client.wire.disconnecting


def test_expire_while_the_user_makes_up_his_mind(make_chat: MakeChat, tools: Tools, clock: Clock) -> None:
    class Slow(WebSocketServerProtocol):
        def onConnect(self, request: ConnectionRequest) -> Deferred[None]:  # type: ignore[override]  # Autobahn waits for it
            return Deferred()

    client = make_chat(Slow).send(tools.opening("/"))
    client.door.expire()
    assert client.received().startswith(b"HTTP/1.1 503 ")
    client.lose()
    assert clock.getDelayedCalls() == []


def test_a_user_that_takes_too_long(make_chat: MakeChat, tools: Tools, clock: Clock) -> None:
    class Slow(WebSocketServerProtocol):
        def onConnect(self, request: ConnectionRequest) -> Deferred[None]:  # type: ignore[override]  # Autobahn waits for it
            return Deferred()

    client = make_chat(Slow, handshake_timeout=5).send(tools.opening("/"))
    clock.advance(5)
    assert client.wire.aborted


def test_the_users_class_keeps_its_name_and_comes_after_ours() -> None:
    made = harden(Chat)
    assert made.__name__ == "Chat" and made.__module__ == Chat.__module__
    assert issubclass(made, Hardened) and issubclass(made, Chat)


# -- messages


def test_echo(make_chat: MakeChat, frame: Frame) -> None:
    client = make_chat().open("/")
    client.send(frame(TEXT, b"a", fin=False) + frame(PING, b"p") + frame(0, b"b") + frame(BINARY, b"\xff"))
    assert client.frames() == [(PONG, b"p"), (TEXT, b"ab"), (BINARY, b"\xff")]


@pytest.mark.parametrize("stream", [b"\x81\x05Hello", b"\xc1\x80\0\0\0\0", b"\x83\x80\0\0\0\0"])
def test_a_violation_is_answered_with_1002(make_chat: MakeChat, stream: bytes) -> None:
    client = make_chat().open("/").send(stream)
    assert [(opcode, payload[:2]) for opcode, payload in client.frames()] == [(CLOSE, b"\x03\xea")]


@pytest.mark.parametrize("payload", [b"\xff", b"ok \xe2\x82", b"\xed\xa0\x80"])
def test_bad_text_is_answered_with_1007(make_chat: MakeChat, frame: Frame, payload: bytes) -> None:
    client = make_chat().open("/").send(frame(TEXT, payload))
    assert client.frames()[0][1][:2] == b"\x03\xef" and Chat.made[0].got == []


def test_the_limit_on_messages(make_chat: MakeChat, frame: Frame) -> None:
    client = make_chat(max_message=10).open("/").send(frame(BINARY, b"x" * 10))
    assert client.frames() == [(BINARY, b"x" * 10)]
    client.send(frame(BINARY, b"x" * 6, fin=False) + frame(0, b"x" * 5))
    assert client.frames()[0][1][:2] == b"\x03\xf1"


def test_many_tiny_fragments_are_joined_on_the_way(make_chat: MakeChat, frame: Frame) -> None:
    client = make_chat().open("/")
    client.send(frame(BINARY, b"ab", fin=False))
    for _ in range(40):
        client.send(frame(0, b"cd", fin=False) * 100 + frame(0, b"", fin=False) * 100)
    assert len(Chat.made[0].message_data) < PIECES + 40
    client.send(frame(0, b"e"))
    assert client.frames() == [(BINARY, b"ab" + b"cd" * 4000 + b"e")]


def test_a_frame_in_many_tiny_pieces_is_joined_on_the_way(make_chat: MakeChat, frame: Frame) -> None:
    client = make_chat().open("/")
    stream = frame(BINARY, bytes(range(250)) * 20)
    for at in range(len(stream) - 1):
        client.send(stream[at : at + 1])
    assert len(Chat.made[0].frame_data) < PIECES + 10
    client.send(stream[-1:])
    assert Chat.made[0].got == [(bytes(range(250)) * 20, True)]


def test_observers_of_autobahn_still_hear(make_chat: MakeChat, frame: Frame) -> None:
    client = make_chat().open("/")
    heard: list[object] = []
    Chat.made[0].on("message", lambda payload, is_binary: heard.append((payload, is_binary)))
    client.send(frame(TEXT, b"x"))
    assert heard == [(b"x", False)]


def test_chopped_writes_still_work(make_chat: MakeChat, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(txaio.tx.config, "loop", clock)  # what Autobahn waits with between two of them
    client = make_chat().open("/")
    Chat.made[0].sendData(b"\x81\x02\x03", chopsize=1)
    for byte in (b"\x81", b"\x02", b"\x03"):
        assert client.received() == byte
        clock.advance(0.001)
    assert client.received() == b""
    assert clock.getDelayedCalls() == []


# -- settings of a mount


@pytest.mark.parametrize(("offered", "chosen"), [("a, c, b", "c"), ("a", None), (None, None)])
def test_subprotocols(make_chat: MakeChat, tools: Tools, offered: str | None, chosen: str | None) -> None:
    answer = make_chat(subprotocols="b c").send(tools.opening("/", Sec_WebSocket_Protocol=offered)).received()
    assert answer.startswith(b"HTTP/1.1 101 ")
    assert (f"Sec-WebSocket-Protocol: {chosen}\r\n".encode() in answer) == (chosen is not None)
    assert (b"Sec-WebSocket-Protocol" in answer) == (chosen is not None)


def test_the_users_own_choice_of_a_subprotocol_wins(make_chat: MakeChat, tools: Tools) -> None:
    class Own(Chat):
        def onConnect(self, request: ConnectionRequest) -> str:
            super().onConnect(request)
            return "a"

    answer = make_chat(Own, subprotocols="b").send(tools.opening("/", Sec_WebSocket_Protocol="b, a")).received()
    assert b"Sec-WebSocket-Protocol: a\r\n" in answer


@pytest.mark.parametrize(("frames", "right", "wrong"), [("text", TEXT, BINARY), ("binary", BINARY, TEXT)])
def test_one_kind_of_messages(make_chat: MakeChat, frame: Frame, frames: str, right: int, wrong: int) -> None:
    client = make_chat(frames=frames).open("/")
    assert client.send(frame(right, b"x")).frames() == [(right, b"x")]
    ((opcode, payload),) = client.send(frame(wrong, b"x")).frames()
    assert (opcode, payload[:2]) == (CLOSE, b"\x03\xeb")
    assert Chat.made[-1].got == [(b"x", right == BINARY)]


def test_what_is_said_to_a_client_that_does_not_read_is_bounded(make_chat: MakeChat, clock: Clock) -> None:
    client = make_chat(max_unsent=1000).open("/")
    client.wire.producer.pauseProducing()
    told = 0
    while Chat.made[-1].state == Chat.made[-1].STATE_OPEN and told < 100:
        Chat.made[-1].sendMessage(b"x" * 98, isBinary=True)
        told += 1
    frames = client.frames()
    assert frames[:-1] == [(BINARY, b"x" * 98)] * 11
    assert frames[-1] == (CLOSE, b"\x03\xf0you do not read what you are sent")
    clock.advance(2)
    assert client.wire.aborted


def test_hooks_of_a_mount(make_chat: MakeChat, clock: Clock) -> None:
    called: list[str] = []

    class Hooked(Chat):
        @classmethod
        def mount_started(cls) -> None:
            called.append("started")

        @classmethod
        def mount_stopped(cls) -> None:
            called.append("stopped")

        def onGoingAway(self) -> None:
            called.append("going away")
            self.sendMessage(b"bye")

    client = make_chat(Hooked).open("/")
    client.door.factory.doStart()
    client.door.expire()
    assert [opcode for opcode, _ in client.frames()] == [TEXT, CLOSE]
    client.door.factory.doStop()
    assert called == ["started", "going away", "stopped"]
