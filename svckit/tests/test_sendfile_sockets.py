"""Files as answers over real sockets, by sendfile(2)."""

import fcntl
import hashlib
import os
import socket
import struct
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, cast

import pytest
from onefile_support import BIG, OneFile, parts_of, split
from svckit.kernelsending import KernelSending
from svckit.reactors import Reactor
from svckit.transport import AdoptedServer, address_of
from svckit.web import GuardedSite
from twisted.internet import defer, task
from twisted.internet import reactor as _reactor
from twisted.trial import unittest
from twisted.web.server import Request

from svckit import sendfile

reactor = cast(Reactor, _reactor)


class SocketCase(unittest.TestCase):
    """A site on an adopted socket, and a client that reads as told."""

    def setUp(self) -> None:
        self.under_way = KernelSending.under_way
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = f"{folder.name}/big"
        Path(self.path).write_bytes(BIG)
        self.resource = OneFile(self.path)
        self.site = GuardedSite(self.resource, reactor)
        self.client, accepted = self.connect()
        self.addCleanup(self.client.close)
        self.client.setblocking(False)
        self.lost: defer.Deferred[None] = defer.Deferred()
        self.channel = self.site.buildProtocol(None)
        peer, host = address_of("127.0.0.1", 1), address_of("127.0.0.1", 2)
        self.server = AdoptedServer(accepted, self.channel, peer, reactor, lambda _: self.lost.callback(None), host)
        self.channel.makeConnection(self.server)
        self.server.replay(b"")

    def connect(self) -> tuple[socket.socket, socket.socket]:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            client = socket.create_connection(listener.getsockname())
            return client, listener.accept()[0]

    def tearDown(self) -> "defer.Deferred[None]":  # type: ignore[override]  # trial waits for it, unittest would not
        self.client.close()
        if self.server.connected:
            self.server.abortConnection()
        return self.lost.addCallback(lambda _: self._all_closed())

    def _all_closed(self) -> None:
        assert KernelSending.under_way == self.under_way
        for fd in self.resource.opened:
            with pytest.raises(OSError):
                os.fstat(fd)

    def pause(self) -> "defer.Deferred[None]":
        return task.deferLater(reactor, 0.005, lambda: None)

    async def read(self, enough: Callable[[bytearray], bool]) -> bytes:
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

    def ended(self, size: int) -> Callable[[bytearray], bool]:
        return lambda got: len(got.partition(b"\r\n\r\n")[2]) >= size

    def run_async(self, work: "Callable[[], Coroutine[defer.Deferred[Any], Any, None]]") -> "defer.Deferred[None]":
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

    def test_corked_until_the_last_byte(self) -> "defer.Deferred[None]":
        """The head goes with the first bytes, and nothing of the tail waits for more."""
        size = sendfile.SMALL + 1000  # less than a segment, which a cork would keep for 0.2 s
        corked: list[int] = []
        unsent: list[tuple[int, int]] = []
        original, done = os.sendfile, self.channel.requestDone

        def observed(*asked: int) -> int:
            corked.append(self.cork())
            return original(*asked)

        def after(request: Request) -> None:
            unsent.append((self.cork(), self.held_back()))
            done(request)

        async def work() -> None:
            self.patch(os, "sendfile", observed)
            self.channel.requestDone = after
            os.truncate(self.path, size)
            for _ in range(2):
                self.client.sendall(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
                assert split(await self.read(self.ended(size)))[2] == BIG[:size]
            assert corked == [1, 1] and unsent == [(0, 0)] * 2

        return self.run_async(work)

    def cork(self) -> int:
        return self.server.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_CORK)

    def held_back(self) -> int:
        """Bytes that are written and were not sent, though the client has room for them (SIOCOUTQNSD)."""
        (count,) = struct.unpack("i", fcntl.ioctl(self.server.socket, 0x894B, bytes(4)))
        return int(count)


class PairCase(SocketCase):
    """The plain side of a TLS connection, which ends in the router, is a socket pair: there is nothing to cork."""

    test_corked_until_the_last_byte = None  # type: ignore[assignment]

    def connect(self) -> tuple[socket.socket, socket.socket]:
        return socket.socketpair()
