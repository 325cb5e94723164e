"""Files as answers, over a GuardedSite: in memory by pieces, and over real sockets by sendfile(2)."""

import hashlib
import os
import re
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from svckit.transport import AdoptedServer, address_of
from svckit.web import GuardedSite
from twisted.internet import defer, protocol, reactor, task
from twisted.internet.testing import StringTransport
from twisted.trial import unittest
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from svckit import sendfile

BIG = bytes(range(256)) * 16 * 1024  # 4 MiB


class OneFile(Resource):
    """Answers every request with the same file."""

    isLeaf = True

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path
        self.opened: list[int] = []

    def render(self, request: Request) -> int:
        fd = os.open(self.path, os.O_RDONLY)
        self.opened.append(fd)
        request.setHeader(b"Content-Type", b"application/x-test")
        sendfile.answer(request, fd, os.fstat(fd))
        return NOT_DONE_YET


def split(answer: bytes) -> tuple[int, dict[str, str], bytes]:
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    return int(first.split(" ")[1]), {k.lower(): v for k, _, v in (line.partition(": ") for line in lines)}, body


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


def parts_of(headers: dict[str, str], body: bytes) -> list[tuple[str, str, bytes]]:
    """Content-Type, Content-Range and bytes of each part."""
    kind, _, boundary = headers["content-type"].partition("; boundary=")
    assert kind == "multipart/byteranges" and int(headers["content-length"]) == len(body)
    first, *parts, last = body.split(b"\r\n--" + boundary.encode())
    assert (first, last) == (b"", b"--\r\n")
    found = []
    for part in parts:
        _, fields, data = split(b"HTTP/1.1 0 part" + part.replace(b"\r\n\r\n", b"\r\n\r\n", 1))
        found.append((fields["content-type"], fields["content-range"], data))
    return found


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


class SocketCase(unittest.TestCase):
    """A site on an adopted socket, and a client that reads as told."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = f"{folder.name}/big"
        Path(self.path).write_bytes(BIG)
        self.resource = OneFile(self.path)
        self.site = GuardedSite(self.resource, reactor)
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)
        self.client = socket.create_connection(listener.getsockname())
        self.addCleanup(self.client.close)
        self.client.setblocking(False)
        accepted, _ = listener.accept()
        self.lost: defer.Deferred[None] = defer.Deferred()
        self.channel = self.site.buildProtocol(None)
        self.server = AdoptedServer(
            accepted, self.channel, address_of("127.0.0.1", 1), reactor, lambda _: self.lost.callback(None)
        )
        self.channel.makeConnection(self.server)
        self.server.replay(b"")

    def tearDown(self) -> "defer.Deferred[None]":
        self.client.close()
        if self.server.connected:
            self.server.abortConnection()
        return self.lost.addCallback(lambda _: self._all_closed())

    def _all_closed(self) -> None:
        for fd in self.resource.opened:
            with pytest.raises(OSError):
                os.fstat(fd)

    def pause(self) -> "defer.Deferred[None]":
        return task.deferLater(reactor, 0.005, lambda: None)

    async def read(self, enough: Callable[[bytes], bool]) -> bytes:
        got = bytearray()
        while not enough(got):
            try:
                data = self.client.recv(1 << 20)
            except BlockingIOError:
                await self.pause()
                continue
            if not data:
                break
            got += data
        return bytes(got)

    def ended(self, size: int) -> Callable[[bytes], bool]:
        return lambda got: len(got.partition(b"\r\n\r\n")[2]) >= size

    def run_async(self, work) -> "defer.Deferred[None]":
        return defer.Deferred.fromCoroutine(work())

    def test_whole_file_twice_on_one_connection(self) -> "defer.Deferred[None]":
        async def work() -> None:
            for _ in range(2):
                self.client.sendall(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
                answer = await self.read(self.ended(len(BIG)))
                assert split(answer)[2] == BIG
            assert "doWrite" not in vars(self.server)

        return self.run_async(work)

    def test_pipelined(self) -> "defer.Deferred[None]":
        async def work() -> None:
            self.client.sendall(
                b"GET /x HTTP/1.1\r\nHost: x\r\nRange: bytes=0-99999\r\n\r\n"
                b"HEAD /x HTTP/1.1\r\nHost: x\r\n\r\n"
                b"GET /x HTTP/1.1\r\nHost: x\r\nRange: bytes=5-70000\r\nConnection: close\r\n\r\n"
            )
            answer = await self.read(lambda got: False)
            _, headers, rest = split(answer)
            assert headers["content-range"] == f"bytes 0-99999/{len(BIG)}" and rest[:100000] == BIG[:100000]
            status, headers, rest = split(rest[100000:])
            assert status == 200 and headers["content-length"] == str(len(BIG))
            assert split(rest)[2] == BIG[5:70001]

        return self.run_async(work)

    def test_several_parts_and_then_the_next_request(self) -> "defer.Deferred[None]":
        async def work() -> None:
            self.client.sendall(
                b"GET /x HTTP/1.1\r\nHost: x\r\nRange: bytes=5-2000000,9-9,3000000-\r\n\r\n"
                b"GET /x HTTP/1.1\r\nHost: x\r\nRange: bytes=0-0\r\nConnection: close\r\n\r\n"
            )
            status, headers, rest = split(await self.read(lambda got: False))
            length = int(headers["content-length"])
            assert status == 206
            assert [part[2] for part in parts_of(headers, rest[:length])] == [BIG[5:2000001], BIG[9:10], BIG[3000000:]]
            assert split(rest[length:])[2] == BIG[:1]

        return self.run_async(work)

    def test_client_that_leaves_midway(self) -> "defer.Deferred[None]":
        async def work() -> None:
            self.client.sendall(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
            await self.read(lambda got: len(got) > 1000)
            self.client.close()
            await self.lost

        return self.run_async(work)

    def test_abort_midway_keeps_the_transport_silent(self) -> "defer.Deferred[None]":
        async def work() -> None:
            self.client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            self.client.sendall(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
            await self.read(lambda got: len(got) > 1000)
            self.server.abortConnection()
            hook = vars(self.server)["doWrite"]
            await self.lost
            assert vars(self.server)["doWrite"] is hook

        return self.run_async(work)

    def test_file_that_shrinks_midway_cuts_the_connection(self) -> "defer.Deferred[None]":
        async def work() -> None:
            with open(self.path, "ab") as file:
                file.truncate(64 << 20)  # more than any socket buffer holds
            self.client.sendall(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
            await self.read(lambda got: len(got) > 1000)
            os.truncate(self.path, 1 << 20)
            answer = await self.read(lambda got: False)
            assert len(answer) < 64 << 20
            await self.lost

        return self.run_async(work)

    def test_release_after_the_last_byte_loses_none(self) -> "defer.Deferred[None]":
        async def work() -> None:
            self.client.sendall(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
            released: defer.Deferred[socket.socket] = defer.Deferred()
            done = self.channel.requestDone

            def leave(request: Request) -> None:
                done(request)
                self.channel.transport.unregisterProducer()
                self.server.release(released.callback)

            self.channel.requestDone = leave
            answer = await self.read(self.ended(len(BIG)))
            assert hashlib.sha256(split(answer)[2]).digest() == hashlib.sha256(BIG).digest()
            (await released).close()

        return self.run_async(work)

    def test_budget_of_a_turn(self) -> "defer.Deferred[None]":
        async def work() -> None:
            sizes: list[int] = []
            original = os.sendfile

            def counted(out: int, source: int, offset: int, count: int) -> int:
                sizes.append(count)
                return original(out, source, offset, count)

            self.patch(os, "sendfile", counted)
            self.client.sendall(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
            await self.read(self.ended(len(BIG)))
            assert len(sizes) >= 4 and max(sizes) == sendfile.PER_TURN

        return self.run_async(work)
