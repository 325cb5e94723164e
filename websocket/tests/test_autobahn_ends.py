"""How a connection of Autobahn ends: by either side, by silence, by readers that are stuck; and what the log says."""

from collections.abc import Callable
from typing import ClassVar

import pytest
from twisted.internet.task import Clock
from websocketsvc.autobahn_protocol import Hardened

from .support.autobahn_setup import CLOSE, PING, PONG, TEXT, Chat
from .support.fixtures import Frame, MakeChat
from .support.wire import Client

# -- closing


@pytest.mark.parametrize(("sent", "answer"), [(b"", b""), (b"\x03\xe8bye", b"\x03\xe8bye")])
def test_the_client_closes(make_chat: MakeChat, frame: Frame, clock: Clock, sent: bytes, answer: bytes) -> None:
    client = make_chat().open("/").send(frame(CLOSE, sent))
    assert client.frames() == [(CLOSE, answer)]
    assert client.wire.disconnecting and not client.wire.aborted
    assert client.wire.producer is None
    clock.advance(2)
    assert client.wire.aborted, "it did not read our last words"


def test_the_service_closes_and_is_answered_without_a_reset(make_chat: MakeChat, frame: Frame, clock: Clock) -> None:
    client = make_chat().open("/")
    Chat.made[0].sendClose(1000)
    client.send(frame(TEXT, b"crossed on the way") + frame(CLOSE, b"\x03\xe8"))
    assert client.frames() == [(CLOSE, b"\x03\xe8")] and Chat.made[0].got == []
    assert client.wire.disconnecting and not client.wire.aborted
    client.lose()
    assert clock.getDelayedCalls() == []


def test_a_client_that_does_not_answer_a_close(make_chat: MakeChat, clock: Clock) -> None:
    client = make_chat().open("/")
    client.door.expire()
    client.door.expire()
    assert client.frames() == [(CLOSE, b"\x03\xe9going away")]
    clock.advance(1.9)
    assert not client.wire.closing
    clock.advance(0.1)
    assert client.wire.aborted


def test_a_close_gets_through_to_one_that_is_stuck(make_chat: MakeChat, frame: Frame) -> None:
    client = make_chat().open("/")
    client.wire.producer.pauseProducing()
    client.door.expire()
    assert client.wire.producerState == "producing"
    client.send(frame(CLOSE, b"\x03\xe9"))
    assert client.frames() == [(CLOSE, b"\x03\xe9going away")] and client.wire.disconnecting


# -- back-pressure and keep-alive


def test_a_client_that_does_not_read_is_not_read_from(make_chat: MakeChat) -> None:
    client = make_chat().open("/")
    client.wire.producer.pauseProducing()
    assert client.wire.producerState == "paused"
    client.wire.producer.resumeProducing()
    assert client.wire.producerState == "producing"


def test_a_client_that_never_reads_is_cut(make_chat: MakeChat, clock: Clock) -> None:
    client = make_chat(stall_timeout=30).open("/")
    client.wire.producer.pauseProducing()
    clock.advance(29)
    assert not client.wire.aborted
    clock.advance(1)
    assert client.wire.aborted


def test_a_producer_of_the_users_goes_behind_ours(make_chat: MakeChat) -> None:
    class Producer:
        said: ClassVar[list[str]] = []

        def pauseProducing(self) -> None:
            self.said.append("pause")

    client = make_chat().open("/")
    Chat.made[0].registerProducer(Producer(), True)
    client.wire.producer.pauseProducing()
    assert Producer.said == ["pause"]
    Chat.made[0].unregisterProducer()
    assert client.wire.producer is not None


def test_a_silent_client_is_pinged_and_cut(make_chat: MakeChat, clock: Clock) -> None:
    client = make_chat(ping_interval=20).open("/")
    clock.advance(20)
    assert [opcode for opcode, _ in client.frames()] == [PING]
    clock.advance(20)
    clock.advance(20)
    assert client.wire.aborted


def test_a_pong_keeps_it(make_chat: MakeChat, clock: Clock, frame: Frame) -> None:
    client = make_chat(ping_interval=20).open("/")
    for _ in range(3):
        clock.advance(20)
        ((opcode, payload),) = client.frames()
        assert opcode == PING
        client.send(frame(PONG, payload))
    assert not client.wire.closing


def test_whatever_arrives_is_a_sign_of_life(make_chat: MakeChat, clock: Clock, frame: Frame) -> None:
    client = make_chat(ping_interval=20).open("/")
    for piece in frame(TEXT, b"slow"):
        clock.advance(19)
        client.send(bytes((piece,)))
    assert not client.wire.closing
    assert Chat.made[0].got == [(b"slow", False)]


def test_while_we_do_not_read_silence_means_nothing(make_chat: MakeChat, clock: Clock) -> None:
    client = make_chat(ping_interval=20, stall_timeout=1000).open("/")
    clock.advance(19)
    client.wire.producer.pauseProducing()
    for _ in range(10):
        clock.advance(20)
    assert not client.wire.closing
    client.wire.producer.resumeProducing()
    clock.advance(20)
    assert not client.wire.closing


def test_no_timer_outlives_the_connection(make_chat: MakeChat, clock: Clock) -> None:
    client = make_chat(ping_interval=20).open("/")
    client.wire.producer.pauseProducing()
    client.door.expire()
    client.lose()
    assert clock.getDelayedCalls() == []
    assert Chat.made[0].closed == [(False, 1006)]


# -- the log


@pytest.mark.parametrize(
    ("end", "code", "by"),
    [
        (lambda client, frame: client.send(frame(CLOSE, b"\x0f\xa0")), 4000, "client"),
        (lambda client, frame: client.send(frame(CLOSE)), 1005, "client"),
        (lambda client, frame: client.door.expire(), 1001, "service"),
        (lambda client, frame: client.send(b"\x81\x00"), 1002, "service"),
        (lambda client, frame: None, 1006, "network"),
    ],
)
def test_ending(make_chat: MakeChat, frame: Frame, end: Callable[[Client, Frame], object], code: int, by: str) -> None:
    client = make_chat().open("/").send(frame(TEXT, b"1") + frame(TEXT, b"2"))
    end(client, frame)
    client.lose()
    made = Chat.made[0]
    assert isinstance(made, Hardened)
    ending = made.ending()
    assert (ending.code, ending.by, ending.received, ending.sent) == (code, by, 2, 2)
