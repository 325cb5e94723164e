"""The parser, in the order of RFC 6455; every stream is fed whole, byte by byte, and (by hypothesis) in any pieces."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websocketsvc.events import BINARY, CLOSE, PING, PONG, TEXT, Close, Event, Message, Ping, Pong, Violation
from websocketsvc.frames import FrameParser

from .support.frames import KEY, LIMIT, frame, in_pieces, parse

# -- 5.2 base framing


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536, 70000])
def test_lengths(size: int) -> None:
    payload = b"z" * size
    assert in_pieces(frame(BINARY, payload), []) == [Message(False, payload)]
    assert in_pieces(frame(BINARY, payload), [1, 3, 7, 9, 13, 14, 15]) == [Message(False, payload)]


def test_examples_of_the_rfc() -> None:
    assert parse(bytes.fromhex("818537fa213d7f9f4d5158")) == [Message(True, b"Hello")]
    assert parse(bytes.fromhex("8a8537fa213d7f9f4d5158")) == [Pong(b"Hello")]


def test_trailing_bytes_wait_for_the_rest() -> None:
    stream = frame(TEXT, b"one")
    parser = FrameParser(LIMIT)
    assert parser.feed(stream + stream[:5]) == [Message(True, b"one")]
    assert parser.feed(stream[5:]) == [Message(True, b"one")]


@pytest.mark.parametrize("rsv", [1, 2, 4, 7])
@pytest.mark.parametrize("opcode", [TEXT, BINARY, CLOSE, PING, PONG, 0])
def test_reserved_bits(opcode: int, rsv: int) -> None:
    (event,) = parse(frame(opcode, b"", rsv=rsv))
    assert isinstance(event, Violation) and event.code == 1002


@pytest.mark.parametrize("opcode", [3, 4, 5, 6, 7, 11, 12, 13, 14, 15])
def test_unknown_opcodes(opcode: int) -> None:
    assert parse(frame(opcode)) == [Violation(1002, f"unknown opcode {opcode}")]


def test_unmasked() -> None:
    assert parse(b"\x81\x05Hello") == [Violation(1002, "a client's frame must be masked")]


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        (b"\x82\xfe\x00\x7d", "shortest form"),
        (b"\x82\xff" + (65535).to_bytes(8, "big"), "shortest form"),
        (b"\x82\xff" + (1 << 63).to_bytes(8, "big"), "highest bit"),
    ],
)
def test_lengths_that_are_not_allowed(head: bytes, reason: str) -> None:
    (event,) = parse(head + KEY)
    assert isinstance(event, Violation) and event.code == 1002 and reason in event.reason


def test_a_header_is_judged_by_its_first_two_bytes() -> None:
    assert FrameParser(LIMIT).feed(b"\x81\x05") == [Violation(1002, "a client's frame must be masked")]
    assert FrameParser(LIMIT).feed(b"\x89\xfe") == [Violation(1002, "a control frame may have 125 bytes")]


# -- limits


def test_a_message_of_the_limit_and_one_more() -> None:
    assert parse(frame(BINARY, b"x" * 50), 50) == [Message(False, b"x" * 50)]
    assert parse(frame(BINARY, b"x" * 51), 50) == [Violation(1009, "a message may have 50 bytes")]


def test_the_limit_counts_all_fragments() -> None:
    stream = frame(BINARY, b"x" * 30, fin=False) + frame(0, b"x" * 20)
    assert parse(stream, 50) == [Message(False, b"x" * 50)]
    assert parse(stream, 49) == [Violation(1009, "a message may have 49 bytes")]


def test_the_limit_counts_each_message_anew() -> None:
    stream = frame(BINARY, b"x" * 30, fin=False) + frame(0, b"x" * 20)
    assert parse(stream * 3, 50) == [Message(False, b"x" * 50)] * 3


def test_too_large_is_known_from_the_header() -> None:
    head = b"\x82\xff" + (1 << 40).to_bytes(8, "big") + KEY
    assert FrameParser(LIMIT).feed(head) == [Violation(1009, f"a message may have {LIMIT} bytes")]


def test_empty_fragments_hold_no_memory() -> None:
    parser = FrameParser(LIMIT)
    parser.feed(frame(BINARY, b"", fin=False))
    assert parser.feed(frame(0, b"", fin=False) * 10_000) == []
    assert parser._parts == bytearray() and not parser._buffer
    assert parser.feed(frame(0, b"end")) == [Message(False, b"end")]


# -- 5.4 fragmentation


def test_fragments_with_control_frames_between() -> None:
    stream = frame(TEXT, b"fr", fin=False) + frame(PING, b"p") + frame(0, b"ag", fin=False) + frame(PONG) + frame(0, b"ment")
    assert parse(stream) == [Ping(b"p"), Pong(b""), Message(True, b"fragment")]


def test_a_continuation_of_nothing() -> None:
    assert parse(frame(0, b"x")) == [Violation(1002, "a continuation of nothing")]
    assert parse(frame(TEXT, b"a") + frame(0, b"x"))[1:] == [Violation(1002, "a continuation of nothing")]


def test_a_message_inside_a_message() -> None:
    assert parse(frame(TEXT, b"a", fin=False) + frame(BINARY, b"b")) == [Violation(1002, "a new message inside a message")]


# -- 5.5 control frames


@pytest.mark.parametrize("opcode", [CLOSE, PING, PONG])
def test_control_frames_are_whole_and_short(opcode: int) -> None:
    assert parse(frame(opcode, b"", fin=False)) == [Violation(1002, "a control frame in fragments")]
    assert parse(frame(opcode, b"x" * 126)) == [Violation(1002, "a control frame may have 125 bytes")]


def test_a_ping_of_the_full_length() -> None:
    assert parse(frame(PING, b"x" * 125)) == [Ping(b"x" * 125)]


@pytest.mark.parametrize(
    ("payload", "event"),
    [
        (b"", Close(1005, "")),
        (b"\x03\xe8", Close(1000, "")),
        (b"\x03\xe9bye \xe2\x82\xac", Close(1001, "bye €")),
        (b"\x03\xe8" + b"x" * 123, Close(1000, "x" * 123)),
        (b"\x03", Violation(1002, "a close code that may not be sent")),
        (b"\x03\xed", Violation(1002, "a close code that may not be sent")),
        (b"\x00\x00", Violation(1002, "a close code that may not be sent")),
        (b"\x13\x88", Violation(1002, "a close code that may not be sent")),
        (b"\x03\xe8\xff", Violation(1007, "a close reason that is not UTF-8")),
    ],
)
def test_close(payload: bytes, event: Event) -> None:
    assert parse(frame(CLOSE, payload)) == [event]


@pytest.mark.parametrize("end", [frame(CLOSE), b"\x81\x05Hello"])
def test_nothing_is_parsed_after_the_end(end: bytes) -> None:
    parser = FrameParser(LIMIT)
    assert len(parser.feed(end + frame(TEXT, b"late"))) == 1
    assert parser.ended
    assert parser.feed(frame(TEXT, b"later")) == []
    assert not parser._buffer


# -- 8.1 UTF-8

GOOD = ["", "plain", "κόσμε", "\U0001f600", "\ud7ff\ue000\ufffd\U0010ffff", "\x00"]
BAD = [b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"ok \xe2\x82", b"\xe2\x28\xa1", b"\x80"]


@pytest.mark.parametrize("text", GOOD)
def test_good_text(text: str) -> None:
    assert parse(frame(TEXT, text.encode())) == [Message(True, text.encode())]


@pytest.mark.parametrize("text", GOOD)
def test_good_text_cut_anywhere_into_fragments(text: str) -> None:
    data = text.encode()
    for cut in range(len(data) + 1):
        assert parse(frame(TEXT, data[:cut], fin=False) + frame(0, data[cut:])) == [Message(True, data)]


@pytest.mark.parametrize("data", BAD)
def test_bad_text(data: bytes) -> None:
    (event,) = in_pieces(frame(TEXT, data), [])
    assert isinstance(event, Violation) and event.code == 1007
    (event,) = in_pieces(frame(TEXT, data), list(range(len(data) + 6)))
    assert isinstance(event, Violation) and event.code == 1007


@pytest.mark.parametrize("data", BAD)
def test_bad_text_is_no_matter_in_a_binary_message(data: bytes) -> None:
    assert parse(frame(BINARY, data)) == [Message(False, data)]


def test_bad_text_is_refused_before_the_frame_ends() -> None:
    stream = frame(TEXT, b"\xf4\x90" + b"x" * 1000)
    (event,) = FrameParser(LIMIT).feed(stream[:-900])
    assert isinstance(event, Violation) and event.code == 1007


# -- any split gives the same events

data_messages = st.tuples(st.sampled_from([TEXT, BINARY]), st.text(max_size=300), st.lists(st.integers(0, 300), max_size=3))
controls = st.tuples(st.sampled_from([PING, PONG]), st.binary(max_size=125))


@st.composite
def streams(draw: st.DrawFn) -> tuple[bytes, list[Event]]:
    """A valid stream, and its events."""
    stream = b""
    events: list[Event] = []
    for kind, text, cuts in draw(st.lists(data_messages, max_size=5)):
        payload, last = text.encode(), 0
        for at, cut in enumerate([*sorted(min(cut, len(payload)) for cut in cuts), len(payload)]):
            stream += frame(kind if at == 0 else 0, payload[last:cut], fin=at == len(cuts))
            last = cut
            if at < len(cuts):
                for opcode, body in draw(st.lists(controls, max_size=1)):
                    stream += frame(opcode, body)
                    events.append(Ping(body) if opcode == PING else Pong(body))
        events.append(Message(kind == TEXT, payload))
    if draw(st.booleans()):
        stream += frame(CLOSE, b"\x03\xe8")
        events.append(Close(1000, ""))
    return stream, events


@settings(deadline=None)
@given(streams(), st.data())
def test_any_split_of_a_valid_stream(made: tuple[bytes, list[Event]], data: st.DataObject) -> None:
    stream, events = made
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=20))
    assert in_pieces(stream, cuts) == events


@settings(deadline=None)
@given(st.binary(max_size=60), st.data())
def test_garbage_ends_the_same_however_it_is_split(stream: bytes, data: st.DataObject) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=20))

    def without_reasons(events: list[Event]) -> list[object]:  # the decoder words an early end and a late one differently
        return [event.code if isinstance(event, Violation) else event for event in events]

    assert without_reasons(in_pieces(stream, cuts)) == without_reasons(in_pieces(stream, []))
