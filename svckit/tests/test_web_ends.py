"""How connections to a GuardedSite end, over real sockets: when all is out, at once, and so that the last answer arrives."""

import socket
from collections.abc import Iterator

import pytest
from svckit.channel import HEAD_DEADLINE
from svckit.linger import LINGER_BYTES, LINGER_TIME
from svckit.refusals import BAD_REQUEST, BAD_VERSION, HEAD_TIMEOUT, MISDIRECTED, TOO_LARGE
from svckit.web import GuardedChannel
from web_ends_support import BIG, GET, Table, count

from tests.support.descriptors import no_descriptor_leaks


@pytest.fixture
def table() -> Iterator[Table]:
    with no_descriptor_leaks():
        made = Table()
        yield made
        made.client.close()
        if not made.lost:
            made.transport.abortConnection()
        made.closed()
    assert not made.reactor.failures
    assert not made.reactor.getDelayedCalls()


# -- a client that has ended its side; the clock stands still: nothing waits for a timeout


@pytest.mark.parametrize("path", [b"big", b"produced"])
@pytest.mark.parametrize("often", [1, 3])
def test_a_half_closed_client_gets_all_and_the_end_at_once(table: Table, path: bytes, often: int) -> None:
    table.send(GET % path * often)
    table.end_side()
    assert count(table.read_to_end()) == [len(BIG)] * often
    table.closed()


@pytest.mark.parametrize("path", [b"big", b"produced"])
@pytest.mark.parametrize("often", [1, 3])
def test_a_client_that_ends_its_side_within_the_answer(table: Table, path: bytes, often: int) -> None:
    table.send(GET % path * often)
    table.read(1)
    table.end_side()
    assert count(table.read_to_end()) == [len(BIG)] * often
    table.closed()


@pytest.mark.parametrize("path", [b"big", b"produced"])
def test_a_client_that_ends_its_side_after_the_answer(table: Table, path: bytes) -> None:
    table.send(GET % path)
    table.read(len(BIG))
    table.reactor.settle()
    assert not table.lost
    table.end_side()
    assert count(table.read_to_end()) == [len(BIG)]
    table.closed()


def test_a_client_that_reads_only_after_its_end_has_been_seen(table: Table) -> None:
    table.send(GET % b"big")
    table.end_side()
    table.reactor.until(lambda: table.channel._client_ended)
    table.reactor.settle()
    assert not table.lost
    assert count(table.read_to_end()) == [len(BIG)]
    table.closed()


def test_a_late_answer_behind_big_ones_comes_to_a_half_closed_client(table: Table) -> None:
    table.send(GET % b"big" + GET % b"slow" + GET % b"big")
    table.end_side()
    table.reactor.until(lambda: table.root.slow)
    table.read(len(BIG))
    table.reactor.settle()
    assert not table.lost
    (late,) = table.root.slow
    late.setHeader(b"Content-Length", b"4")
    late.write(b"late")
    late.finish()
    assert count(table.read_to_end()) == [len(BIG), 4, len(BIG)]
    table.closed()


# -- a refusal, and a client that goes on sending

NEXT = b"GET /a/small HTTP/1.1\r\nHost: x\r\n"
REFUSED: list[tuple[bytes, bytes]] = [
    (b"GET /b/ HTTP/1.1\r\n", MISDIRECTED),
    (b"GET  /a/ HTTP/1.1\r\n", BAD_REQUEST),
    (NEXT + b"A : b\r\n", BAD_REQUEST),
    (NEXT + b"Content-Length: x\r\n\r\n", BAD_REQUEST),
    (NEXT + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", BAD_REQUEST),
    (b"GET /a/ HTTP/1.2\r\n", BAD_VERSION),
    (NEXT + b"A: " + b"a" * (GuardedChannel.MAX_LENGTH + 2), TOO_LARGE),
]
refusals = pytest.mark.parametrize(
    ("bad", "answer"), REFUSED, ids=["421", "400-line", "400-field", "400-length", "400-chunk", "505", "431"]
)


def refused(table: Table, bad: bytes, answer: bytes) -> None:
    table.send(GET % b"small" + bad)
    assert table.read_to_end().endswith(b"\r\n\r\nsmall" + answer)


@refusals
def test_what_a_refused_client_still_sends_is_read_away(table: Table, bad: bytes, answer: bytes) -> None:
    refused(table, bad, answer)
    for _ in range(8):
        table.send(GET % b"small" * 500)
        table.reactor.settle()
    assert not table.lost
    table.end_side()
    table.closed()
    assert table.client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0  # no reset
    assert table.received.count(b"HTTP/1.1 ") == 2


def test_a_late_head_is_refused_so_too(table: Table) -> None:
    table.send(GET % b"small" + NEXT)
    table.read(1)
    table.reactor.settle()
    table.reactor.advance(HEAD_DEADLINE)
    assert table.read_to_end().endswith(b"small" + HEAD_TIMEOUT)
    table.send(b"\r\n")
    table.reactor.settle()
    assert not table.lost
    table.end_side()
    table.closed()


def test_a_refused_client_that_does_not_end_its_side_is_left_after_a_while(table: Table) -> None:
    refused(table, *REFUSED[0])
    table.reactor.advance(LINGER_TIME - 0.1)
    table.reactor.settle()
    assert not table.lost
    table.reactor.advance(0.1)
    table.closed()


def test_a_refused_client_that_sends_without_end_is_left(table: Table) -> None:
    refused(table, *REFUSED[0])
    sent = 0
    while not table.lost:
        try:
            sent += table.client.send(b"x" * 50_000)
        except BlockingIOError:
            pass
        except OSError:
            break
        table.reactor.turn()
        assert sent < LINGER_BYTES * 20
    table.closed()
    assert sent >= LINGER_BYTES


def test_a_refused_client_that_has_ended_its_side_is_not_waited_for(table: Table) -> None:
    table.send(GET % b"small" + REFUSED[0][0])
    table.end_side()
    assert table.read_to_end().endswith(MISDIRECTED)
    table.closed()


@pytest.mark.parametrize("ends", [True, False])
def test_a_refusal_behind_a_big_answer_cuts_nothing_of_it(table: Table, ends: bool) -> None:
    table.send(GET % b"big" + REFUSED[0][0])
    table.reactor.settle()
    table.reactor.advance(LINGER_TIME * 5)  # the client takes its time to read
    table.reactor.settle()
    if ends:
        table.end_side()
    answers = table.read_to_end()
    assert answers.endswith(MISDIRECTED)
    assert count(answers.removesuffix(MISDIRECTED)) == [len(BIG)]
    table.reactor.settle()
    if not ends:
        assert not table.lost
        table.reactor.advance(LINGER_TIME)
    table.closed()


def test_draining_does_not_cut_the_wait(table: Table) -> None:
    refused(table, *REFUSED[0])
    table.channel.drain()
    table.reactor.settle()
    assert not table.lost
    table.channel.expire()
    table.closed()
