"""Plain response heads that are remembered: the same answer as without a memory, and never more of them than the limit."""

import pytest
from portico.core.response import HEAD_KEPT, HEADS_KEPT, PlainHeads, is_plain

PLAIN = b"HTTP/1.1 200 OK\r\nDate: now\r\nContent-Length: 5\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
ODD = (
    b"",
    b"HTT",
    PLAIN[:-1],
    PLAIN.replace(b"200", b"204"),
    PLAIN.replace(b"5\r\n", b"5\r\nContent-Length: 5\r\n"),
    PLAIN.replace(b"Date: now", b"Connection: close"),
    PLAIN.replace(b"Date: now", b"Date : now"),
    PLAIN.replace(b"\r\nDate", b"\nDate"),
)


@pytest.mark.parametrize("body", [b"", b"he", b"hello", b"hello" + PLAIN, b"\r\n\r\n"])
def test_the_first_and_each_other_time(body: bytes) -> None:
    heads = PlainHeads()
    for _ in range(3):
        assert heads.find(PLAIN + body) == (len(PLAIN), 5)
        assert heads.find(CHUNKED + body) == (len(CHUNKED), None)


@pytest.mark.parametrize("wire", ODD)
def test_what_is_not_plain(wire: bytes) -> None:
    heads = PlainHeads()
    assert heads.find(PLAIN)
    assert is_plain(wire) is None
    assert heads.find(wire) is None
    assert heads.find(wire + b"hello") is None


def test_it_ends_in_every_piece() -> None:
    heads = PlainHeads()
    for _ in range(2):
        for end in range(len(PLAIN)):
            assert heads.find(PLAIN[:end]) is None
        assert heads.find(PLAIN) == (len(PLAIN), 5)


def test_no_more_than_the_limit_are_kept() -> None:
    heads = PlainHeads()
    for number in range(HEADS_KEPT * 3):
        assert heads.find(PLAIN.replace(b"5", b"%d" % number))
        assert len(heads._known) <= HEADS_KEPT
    large = PLAIN.replace(b"now", b"x" * HEAD_KEPT)
    assert heads.find(large) == (len(large), 5)
    assert large not in heads._known
