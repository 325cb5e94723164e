"""How a connection of txWS ends: by a violation, by either side, by silence; and what the log says."""

from collections.abc import Callable

import pytest
from twisted.internet.task import Clock
from websocketsvc.events import BINARY, CLOSE, PING, PONG, TEXT

from .support.fixtures import Frame, MakeSetup
from .support.txws_setup import Wrapped
from .support.wire import Client

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
def test_a_violation_is_answered_with_its_code_and_nothing_more_is_taken(
    setup: MakeSetup, frame: Frame, clock: Clock, stream: bytes, code: int
) -> None:
    client, wrapped = setup()()
    client.send(stream.ljust(20, b"\0") + frame(TEXT, b"late"))
    client.send(frame(TEXT, b"later"))
    ((opcode, payload),) = client.frames()
    assert (opcode, int.from_bytes(payload[:2], "big")) == (CLOSE, code)
    assert client.wire.half_closed and not client.wire.aborted and wrapped.got == []
    clock.advance(2)
    assert client.wire.aborted


def test_the_limit_on_messages(setup: MakeSetup, frame: Frame) -> None:
    client, wrapped = setup(max_message=10)()
    client.send(frame(TEXT, b"x" * 10))
    assert wrapped.got == [b"x" * 10]
    client.send(frame(TEXT, b"x" * 11))
    assert client.frames()[-1][1][:2] == b"\x03\xf1"


# -- closing


@pytest.mark.parametrize(("sent", "answer"), [(b"", b""), (b"\x03\xe8", b"\x03\xe8"), (b"\x0f\xa0bye", b"\x0f\xa0")])
def test_the_client_closes(setup: MakeSetup, frame: Frame, clock: Clock, sent: bytes, answer: bytes) -> None:
    client, wrapped = setup()()
    client.send(frame(CLOSE, sent) + frame(TEXT, b"late"))
    assert client.frames() == [(CLOSE, answer)]
    assert client.wire.half_closed and wrapped.got == []
    wrapped.transport.write(b"too late")
    assert client.frames() == []
    client.lose()
    assert len(wrapped.lost) == 1 and clock.getDelayedCalls() == []


def test_the_wrapped_protocol_closes(setup: MakeSetup, frame: Frame, clock: Clock) -> None:
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


def test_a_client_that_does_not_answer_a_close(setup: MakeSetup, clock: Clock) -> None:
    client, wrapped = setup()()
    wrapped.transport.loseConnection()
    clock.advance(1.9)
    assert not client.wire.aborted
    clock.advance(0.1)
    assert client.wire.aborted


def test_a_violation_instead_of_the_clients_close(setup: MakeSetup) -> None:
    client, wrapped = setup()()
    wrapped.transport.loseConnection()
    client.send(b"\x81\x05Hello")
    assert client.frames() == [(CLOSE, b"\x03\xe8")]
    assert client.wire.half_closed


def test_close_with_a_code_and_a_reason(setup: MakeSetup) -> None:
    client, wrapped = setup()()
    with pytest.raises(ValueError):
        wrapped.transport.close("no", 1006)
    wrapped.transport.close("full", 4001)
    assert client.frames() == [(CLOSE, b"\x0f\xa1full")]


def test_abort(setup: MakeSetup) -> None:
    client, wrapped = setup()()
    wrapped.transport.abortConnection()
    assert client.frames() == [] and client.wire.aborted


def test_expire(setup: MakeSetup, clock: Clock, frame: Frame) -> None:
    client, _wrapped = setup()()
    client.door.drain()
    assert client.frames() == []
    client.door.expire()
    client.door.expire()
    clock.advance(1)
    assert client.frames() == [(CLOSE, b"\x03\xe9going away")]
    clock.advance(2)
    assert client.wire.aborted


def test_expire_of_one_that_is_closing_already(setup: MakeSetup, frame: Frame) -> None:
    client, _wrapped = setup()()
    client.send(frame(CLOSE))
    client.door.expire()
    assert client.frames() == [(CLOSE, b"")]


# -- keep-alive


def test_a_silent_client_is_pinged_and_then_cut(setup: MakeSetup, clock: Clock) -> None:
    client, _wrapped = setup(ping_interval=20)()
    clock.advance(20)
    assert client.frames() == [(PING, b"")]
    clock.advance(20)
    assert client.wire.aborted


def test_whatever_arrives_is_a_sign_of_life(setup: MakeSetup, clock: Clock, frame: Frame) -> None:
    client, wrapped = setup(ping_interval=20)()
    for piece in frame(TEXT, b"slow"):
        clock.advance(19)
        client.send(bytes((piece,)))
    assert client.frames() == [] and wrapped.got == [b"slow"]


def test_a_pong_is_enough(setup: MakeSetup, clock: Clock, frame: Frame) -> None:
    client, _wrapped = setup(ping_interval=20)()
    clock.advance(20)
    client.send(frame(PONG))
    clock.advance(20)
    assert client.frames() == [(PING, b"")] and not client.wire.aborted


def test_no_timer_outlives_the_connection(setup: MakeSetup, clock: Clock, frame: Frame) -> None:
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
def test_ending(setup: MakeSetup, frame: Frame, end: Callable[[Client, Wrapped, Frame], object], code: int, by: str) -> None:
    client, wrapped = setup()()
    client.send(frame(TEXT, b"1") + frame(TEXT, b"2"))
    wrapped.transport.write(b"3")
    conversation = wrapped.transport
    end(client, wrapped, frame)
    client.lose()
    ending = conversation.ending()
    assert (ending.code, ending.by, ending.received, ending.sent) == (code, by, 2, 1)
