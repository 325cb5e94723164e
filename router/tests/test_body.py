"""Where bodies end: the followers, fed in every way."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from portico.core.answers import Answer
from portico.core.body import ENDLESS, UNTIL_CLOSE, Body, Counted, Endless, body_of
from portico.core.chunked import CHUNK_LINE, MALFORMED, TRAILER, Chunked
from portico.core.framing import RequestFrame, ResponseFrame, frame_request, frame_response
from portico.core.head import Head
from portico.core.response import ResponseHead

NEXT = b"GET /next HTTP/1.1\r\nHost: h\r\n\r\n"


def follow(body: Body, wire: bytes, cuts: list[int]) -> int:
    """Feed `wire` cut in pieces; how many bytes belong to the body, or MALFORMED."""
    total, at = 0, 0
    for cut in [*sorted(cuts), len(wire)]:
        piece, at = wire[at:cut], cut
        taken = body.feed(piece)
        if taken == MALFORMED:
            return MALFORMED
        total += taken
        if taken < len(piece):
            assert body.complete
            return total
    return total


def every_way(wire: bytes) -> list[list[int]]:
    return [[], list(range(1, len(wire))), *[[cut] for cut in range(1, len(wire))]]


SOUND_CHUNKED = [
    b"0\r\n\r\n",
    b"000\r\n\r\n",
    b"5\r\nhello\r\n0\r\n\r\n",
    b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
    b"A\r\n0123456789\r\n0\r\n\r\n",
    b"a\r\n\r\n\r\n\r\n\r\n\r\n\r\n0\r\n\r\n",
    b"000000000000005\r\nhello\r\n0\r\n\r\n",
    b"5;name\r\nhello\r\n0\r\n\r\n",
    b'5;name=value;other="q \t;,\xe4"\r\nhello\r\n0;last\r\n\r\n',
    b"5;\r\nhello\r\n0\r\n\r\n",
    b"1\r\n\n\r\n0\r\n\r\n",
    b"2\r\n\r\n\r\n0\r\n\r\n",
    b"0\r\nX-Sum: 1\r\n\r\n",
    b"1\r\nx\r\n0\r\nX-Sum: 1\r\nY:\r\nZ: \xff\t\r\n\r\n",
]
BAD_CHUNKED = [
    b"\r\n", b"\n", b" 5\r\n", b"5 \r\n", b"5 ;x\r\n", b"+5\r\n", b"-5\r\n", b"-0\r\n", b"0x5\r\n", b"0X5\r\n", b"5_0\r\n",
    b"_5\r\n", b"g\r\n", b"5g\r\n", b"5.\r\n", b"5,5\r\n", b"5\t\r\n", b"\t5\r\n", b"5\0\r\n", b"5\x85\r\n", b"\xb2\r\n",
    b"\xef\xbc\x95\r\n", b"1" * 16 + b"\r\n", b"0" * 16 + b"\r\n", b"ffffffffffffffff\r\n", b"10000000000000005\r\n",
    b"5\nhello\r\n0\r\n\r\n", b"5\rhello\r\n", b"5\r\r\nhello\r\n", b"5;\n", b"5;a\rb\r\n", b"5;a\0\r\n", b"5;a\x7f\r\n",
    b"5\r\nhello0\r\n\r\n", b"5\r\nhello\n0\r\n\r\n", b"5\r\nhello\r0\r\n", b"5\r\nhelloo\r\n0\r\n",
    b"5\r\nhell\r\n0\r\n\r\n",
    b"5\r\nhello\r\n\r\n0\r\n\r\n", b"5\r\nhello \r\n", b"0\n\n", b"0\r\n\n", b"0\r\n\rX", b"0\r\nX: y\n\r\n",
    b"0\r\nX\r\n\r\n",
    b"0\r\nX : y\r\n\r\n", b"0\r\n X: y\r\n\r\n", b"0\r\nX: y\r\n folded\r\n\r\n", b"0\r\n: y\r\n\r\n", b"0\r\nX: \0\r\n\r\n",
    b"0\r\nX: a\rb\r\n\r\n", b"0\r\nContent-Length: 5\r\n\r\n", b"0\r\ntransfer-encoding: chunked\r\n\r\n",
    b"0\r\nHost: x\r\n\r\n", b"0\r\nConnection: close\r\n\r\n", b"0\r\nTrailer: x\r\n\r\n", b"0\r\nUpgrade: x\r\n\r\n",
    b"0\r\nTE: x\r\n\r\n", b"0\r\nX-Forwarded-For: x\r\n\r\n", b"0\r\nKeep-Alive: x\r\n\r\n", b"0\r\nExpect: x\r\n\r\n",
    b"0\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", b"0 \r\n\r\n", b"0x0\r\n\r\n",
]  # fmt: skip


@pytest.mark.parametrize("wire", SOUND_CHUNKED)
def test_a_chunked_body_ends_where_it_ends(wire: bytes) -> None:
    for cuts in every_way(wire + NEXT):
        body = Chunked()
        assert follow(body, wire + NEXT, cuts) == len(wire)
        assert body.complete
    for end in range(len(wire)):
        body = Chunked()
        assert body.feed(wire[:end]) == end
        assert not body.complete


@pytest.mark.parametrize("wire", BAD_CHUNKED)
def test_a_malformed_chunked_body_is_refused(wire: bytes) -> None:
    for cuts in every_way(wire):
        assert follow(Chunked(), wire, cuts) == MALFORMED


@pytest.mark.parametrize("wire", BAD_CHUNKED)
def test_no_wrong_byte_is_let_through(wire: bytes) -> None:
    """What is let through of a malformed body, byte by byte, can always still become a sound one."""
    body, passed = Chunked(), b""
    for at in range(len(wire)):
        if body.feed(wire[at : at + 1]) == MALFORMED:
            break
        passed += wire[at : at + 1]
    assert re.fullmatch(rb"(?s)(?:[0-9A-Fa-f]{0,15}(?:;[^\r\n\0\x7f]*)?\r?|[0-9a-f]+\r\n.*)", passed)


def test_feeding_from_the_middle() -> None:
    body = Chunked()
    assert body.feed(b"HEAD5\r\nhello\r\n0\r\n\r\nNEXT", 4) == 15
    assert body.complete
    assert Counted(3).feed(b"HEADabcNEXT", 4) == 3


def test_a_chunk_line_has_a_limit() -> None:
    sound = b"5;" + b"x" * (CHUNK_LINE - 4) + b"\r\n"
    assert Chunked().feed(sound) == CHUNK_LINE
    assert Chunked().feed(b"5;x" + sound[2:]) == MALFORMED
    assert Chunked().feed(b"5;" + b"x" * (CHUNK_LINE - 2)) == CHUNK_LINE
    assert Chunked().feed(b"5;" + b"x" * (CHUNK_LINE - 1)) == MALFORMED


def test_the_trailer_has_a_limit() -> None:
    field = b"X: " + b"x" * 95 + b"\r\n"
    count = TRAILER // len(field)
    assert Chunked().feed(b"0\r\n" + field * (count - 1) + b"\r\n") > 0
    assert Chunked().feed(b"0\r\n" + field * (count + 1) + b"\r\n") == MALFORMED
    assert Chunked().feed(b"0\r\nX: " + b"x" * TRAILER) == MALFORMED


def test_bulk_of_a_chunk() -> None:
    body = Chunked()
    assert body.bulk == 0
    body.feed(b"10000\r\nabc")
    assert body.bulk == 0x10000 - 3
    body.skip(0x10000 - 3)
    assert body.bulk == 0
    assert body.feed(b"\r\n0\r\n\r\nNEXT") == 7
    assert body.complete


def test_bulk_of_a_counted_body() -> None:
    body = body_of(100_000)
    assert body.feed(b"x" * 10) == 10
    assert body.bulk == 99_990
    body.skip(99_989)
    assert not body.complete
    assert body.feed(b"xNEXT") == 1
    assert body.complete
    assert body.feed(b"NEXT") == 0


def test_a_body_until_the_end() -> None:
    body = body_of(UNTIL_CLOSE)
    assert isinstance(body, Endless)
    assert body.feed(b"xyz", 1) == 2
    body.skip(5)
    assert (body.bulk, body.complete) == (ENDLESS, False)


@given(
    st.lists(st.binary(min_size=1, max_size=40), max_size=6),
    st.lists(st.sampled_from([b"X-A: 1\r\n", b"Y:\r\n"]), max_size=2),
    st.binary(max_size=20),
    st.lists(st.integers(0, 400), max_size=12),
)
@settings(max_examples=300, deadline=None)
def test_any_split_gives_the_same_boundary(chunks: list[bytes], trailer: list[bytes], after: bytes, cuts: list[int]) -> None:
    wire = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n" + b"".join(trailer) + b"\r\n"
    body = Chunked()
    assert follow(body, wire + after, [cut for cut in cuts if cut < len(wire + after)]) == len(wire)
    assert body.complete
    counted = Counted(len(wire))
    assert follow(counted, wire + after, [cut for cut in cuts if cut < len(wire + after)]) == len(wire)


@given(
    st.lists(st.sampled_from([b"5", b"0", b"\r\n", b"\n", b"\r", b"hello", b";x", b"X: y", b" ", b"a"]), max_size=14), st.data()
)
@settings(max_examples=500, deadline=None)
def test_any_split_gives_the_same_verdict(parts: list[bytes], data: st.DataObject) -> None:
    wire = b"".join(parts)
    whole = follow(Chunked(), wire, [])
    cuts = data.draw(st.lists(st.integers(0, len(wire)), max_size=6))
    assert follow(Chunked(), wire, cuts) == whole


@given(st.binary(max_size=200))
@settings(max_examples=300, deadline=None)
def test_no_fields_upset_the_framing(junk: bytes) -> None:
    head = Head(b"GET", b"/", 1, b"Host: h\r\n" + junk, 0)
    assert isinstance(frame_request(head), RequestFrame | Answer)
    assert isinstance(frame_response(ResponseHead(1, 200, junk, 0), b"GET", False), ResponseFrame | Answer)
