"""Files as answers, over a GuardedSite in memory, by pieces."""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from onefile_support import BIG, OneFile, parts_of, split
from svckit.web import GuardedSite
from twisted.internet import protocol, task
from twisted.internet.testing import StringTransport

from svckit import sendfile


class Connection:
    """One connection to a site, in memory."""

    def __init__(self, site: GuardedSite, clock: task.Clock) -> None:
        self.clock, self.transport = clock, StringTransport()
        self.channel = site.buildProtocol(None)
        self.channel.makeConnection(self.transport)

    def ask(self, *headers: str, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
        self.transport.clear()
        self.channel.dataReceived("\r\n".join([f"{method} /x HTTP/1.1", "Host: x", *headers, "", ""]).encode())
        for _ in range(1000):
            self.clock.advance(0)
        return split(self.transport.value())


@pytest.fixture
def small(tmp_path: Path) -> str:
    path = tmp_path / "small"
    path.write_bytes(b"0123456789")
    return str(path)


@pytest.fixture
def big(tmp_path: Path) -> str:
    path = tmp_path / "big"
    path.write_bytes(BIG)
    return str(path)


Connect = Callable[[str], Connection]


@pytest.fixture
def connect() -> Iterator[Connect]:
    resources: list[OneFile] = []

    def open_one(path: str) -> Connection:
        clock = task.Clock()
        resources.append(OneFile(path))
        return Connection(GuardedSite(resources[-1], clock), clock)

    yield open_one
    for resource in resources:
        for fd in resource.opened:
            with pytest.raises(OSError):
                os.fstat(fd)


def test_whole_file(connect: Connect, small: str) -> None:
    status, headers, body = connect(small).ask()
    assert (status, body) == (200, b"0123456789")
    assert headers["content-length"] == "10"
    assert headers["accept-ranges"] == "bytes"
    assert re.fullmatch(r'"[0-9a-f]+-a"', headers["etag"])
    assert headers["last-modified"].endswith(" GMT")
    assert headers["content-type"] == "application/x-test"
    assert "transfer-encoding" not in headers


def test_head_has_the_length_and_no_body(connect: Connect, small: str, big: str) -> None:
    for path, size in ((small, "10"), (big, str(len(BIG)))):
        status, headers, body = connect(path).ask(method="HEAD")
        assert (status, headers["content-length"], body) == (200, size, b"")


def test_a_part(connect: Connect, small: str) -> None:
    status, headers, body = connect(small).ask("Range: bytes=2-4")
    assert (status, headers["content-range"], headers["content-length"], body) == (206, "bytes 2-4/10", "3", b"234")


def test_several_parts(connect: Connect, small: str, big: str) -> None:
    status, headers, body = connect(small).ask("Range: bytes=-1,2-4")
    assert status == 206 and "content-range" not in headers
    assert parts_of(headers, body) == [
        ("application/x-test", "bytes 9-9/10", b"9"),
        ("application/x-test", "bytes 2-4/10", b"234"),
    ]
    connection = connect(big)
    status, headers, body = connection.ask("Range: bytes=0-99999,200000-2000000")
    assert [data for _, _, data in parts_of(headers, body)] == [BIG[:100_000], BIG[200_000:2_000_001]]
    assert connection.ask("Range: bytes=0-0")[2] == b"\0", "the connection goes on"


def test_a_part_that_is_not_there(connect: Connect, small: str) -> None:
    status, headers, body = connect(small).ask("Range: bytes=10-")
    assert (status, headers["content-range"]) == (416, "bytes */10")
    assert headers["content-type"].startswith("text/plain") and len(body) == int(headers["content-length"])


def test_not_modified_has_no_body_and_no_length(connect: Connect, small: str) -> None:
    connection = connect(small)
    etag = connection.ask()[1]["etag"]
    status, headers, body = connection.ask(f'If-None-Match: "x", {etag}')
    assert (status, body, headers["etag"]) == (304, b"", etag)
    assert "content-length" not in headers and "content-type" not in headers
    status, headers, _ = connection.ask('If-None-Match: "x"', f"If-None-Match: {etag}")
    assert status == 304, "several lines are one list"


def test_failed_precondition(connect: Connect, small: str) -> None:
    assert connect(small).ask('If-Match: "x"')[0] == 412


def test_keep_alive_after_each_kind_of_answer(connect: Connect, small: str, big: str) -> None:
    for path in (small, big):
        connection = connect(path)
        for headers in ([], ["Range: bytes=1-1"], ["Range: bytes=99999999-"], ["If-None-Match: *"], []):
            connection.ask(*headers)
        assert connection.ask()[0] == 200


def test_empty_file(connect: Connect, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    status, headers, body = connect(str(tmp_path / "empty")).ask()
    assert (status, headers["content-length"], body) == (200, "0", b"")


def test_time_in_the_future_is_not_sent(connect: Connect, small: str) -> None:
    os.utime(small, (2**33, 2**33))
    assert "2242" not in connect(small).ask()[1]["last-modified"]


def test_big_file_by_pieces(connect: Connect, big: str) -> None:
    status, _, body = connect(big).ask()
    assert status == 200 and body == BIG


def test_big_part_by_pieces(connect: Connect, big: str) -> None:
    status, _, body = connect(big).ask(f"Range: bytes=7-{2**20}")
    assert status == 206 and body == BIG[7 : 2**20 + 1]


class HalfwayTransport(StringTransport):
    """Calls `halfway` once, when a quarter of BIG is written."""

    halfway: Callable[[], None] | None = None

    def write(self, data: bytes) -> None:
        super().write(data)
        if self.halfway is not None and len(self.value()) > len(BIG) // 4:
            halfway, self.halfway = self.halfway, None
            halfway()


def ask_big(connection: Connection, halfway: Callable[[Connection], None]) -> None:
    connection.transport = HalfwayTransport()
    connection.transport.halfway = lambda: halfway(connection)
    connection.channel.makeConnection(connection.transport)
    connection.channel.dataReceived(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
    connection.clock.advance(0)


def test_pieces_wait_for_a_slow_consumer(connect: Connect, big: str) -> None:
    connection = connect(big)
    ask_big(connection, lambda c: c.channel.pauseProducing())
    assert len(connection.transport.value()) < len(BIG) // 4 + 2 * sendfile.PIECE
    connection.channel.resumeProducing()
    connection.clock.advance(0)
    assert split(connection.transport.value())[2] == BIG


def test_consumer_that_takes_nothing_is_cut_after_the_stall_time(connect: Connect, big: str) -> None:
    connection = connect(big)
    connection.channel.dataReceived(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
    connection.channel.pauseProducing()
    connection.clock.advance(sendfile.STALL - 1)
    assert not connection.transport.disconnected
    connection.clock.advance(2)
    assert connection.transport.disconnected
    connection.channel.connectionLost(protocol.connectionDone)


def test_small_file_that_became_shorter_is_cut(connect: Connect, small: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "pread", lambda fd, count, at: b"012")
    connection = connect(small)
    connection.channel.dataReceived(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
    assert connection.transport.disconnected and connection.transport.value() == b""


def test_big_file_that_became_shorter_is_cut(connect: Connect, big: str) -> None:
    connection = connect(big)
    ask_big(connection, lambda _: os.truncate(big, sendfile.PIECE))
    assert connection.transport.disconnected and len(connection.transport.value()) < len(BIG)
    connection.channel.connectionLost(protocol.connectionDone)
