"""txWS and readers that are slow or stuck."""

import io

from twisted.internet.task import Clock
from twisted.protocols.basic import FileSender
from websocketsvc.events import BINARY, CLOSE, PING, PONG, TEXT

from .support.fixtures import Frame, MakeSetup

# -- back-pressure


def test_a_client_that_does_not_read_is_not_read_from(setup: MakeSetup, frame: Frame) -> None:
    client, wrapped = setup()()
    flow = client.wire.producer
    flow.pauseProducing()
    client.send(frame(TEXT, b"one") + frame(PING))
    assert wrapped.got == [] and client.frames() == [] and client.wire.producerState == "paused"
    flow.resumeProducing()
    assert wrapped.got == [b"one"] and client.frames() == [(PONG, b"")]
    assert client.wire.producerState == "producing"


def test_what_waits_is_handed_on_piece_by_piece_as_there_is_room(setup: MakeSetup, frame: Frame) -> None:
    client, wrapped = setup()()
    flow = client.wire.producer

    def take(data: bytes) -> None:
        wrapped.got.append(data)
        flow.pauseProducing()

    wrapped.dataReceived = take  # type: ignore[method-assign]
    client.send(frame(TEXT, b"1") + frame(TEXT, b"2") + frame(TEXT, b"3"))
    assert wrapped.got == [b"1"]
    flow.resumeProducing()
    assert wrapped.got == [b"1", b"2"] and client.wire.producerState == "paused"


def test_the_wrapped_protocol_stops_reading(setup: MakeSetup, frame: Frame) -> None:
    client, wrapped = setup()()
    wrapped.transport.pauseProducing()
    client.send(frame(TEXT, b"one"))
    assert wrapped.got == [] and client.wire.producerState == "paused"
    wrapped.transport.resumeProducing()
    assert wrapped.got == [b"one"] and client.wire.producerState == "producing"


def test_a_client_that_never_reads_is_cut(setup: MakeSetup, clock: Clock) -> None:
    client, _wrapped = setup(stall_timeout=30)()
    client.wire.producer.pauseProducing()
    clock.advance(29)
    assert not client.wire.aborted
    clock.advance(1)
    assert client.wire.aborted


def test_a_close_gets_through_to_one_that_is_stuck(setup: MakeSetup, frame: Frame, clock: Clock) -> None:
    client, wrapped = setup()()
    client.wire.producer.pauseProducing()
    client.send(frame(TEXT, b"waiting"))
    client.door.expire()
    client.send(frame(CLOSE, b"\x03\xe9"))
    assert client.frames() == [(CLOSE, b"\x03\xe9going away")]
    assert client.wire.half_closed and wrapped.got == []


def test_a_file_is_sent_and_then_the_connection_closed(setup: MakeSetup, clock: Clock) -> None:
    client, wrapped = setup()()
    sending = FileSender().beginFileTransfer(io.BytesIO(b"z" * 100_000), wrapped.transport)
    wrapped.transport.loseConnection()
    clock.advance(0)
    frames = client.frames()
    assert b"".join(payload for opcode, payload in frames if opcode == BINARY) == b"z" * 100_000
    assert frames[-1] == (CLOSE, b"\x03\xe8")
    assert sending.called


def test_a_producer_hears_that_the_connection_is_lost(setup: MakeSetup) -> None:
    class Producer:
        stopped = False

        def stopProducing(self) -> None:
            self.stopped = True

    client, wrapped = setup()()
    producer = Producer()
    wrapped.transport.registerProducer(producer, True)
    client.wire.producer.stopProducing()
    assert producer.stopped


# -- slow readers, kinds of messages


def test_what_is_said_to_a_client_that_does_not_read_is_bounded(setup: MakeSetup, clock: Clock) -> None:
    client, wrapped = setup(max_unsent=1000)()
    client.wire.producer.pauseProducing()
    for _ in range(100):
        wrapped.transport.write(b"x" * 98)
    frames = client.frames()
    assert frames[:-1] == [(BINARY, b"x" * 98)] * 11
    assert frames[-1] == (CLOSE, b"\x03\xf0you do not read what you are sent")
    clock.advance(2)
    assert client.wire.aborted


def test_who_reads_again_may_be_told_more(setup: MakeSetup) -> None:
    client, wrapped = setup(max_unsent=1000)()
    for _ in range(10):
        client.wire.producer.pauseProducing()
        wrapped.transport.write(b"x" * 900)
        client.wire.producer.resumeProducing()
    assert len(client.frames()) == 10
