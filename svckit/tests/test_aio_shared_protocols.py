"""Protocols beside HTTP on a shared connection: what comes after an upgrade, and one that brings its own buffer."""

import asyncio
import socket
from typing import Any

from aio_support import Stage, on_stage, until
from shared_support import Server, begin, get


class Other(Server):
    """Speaks after the upgrade."""

    def eof_received(self) -> bool:
        self.received += b"<eof>"
        return False


@on_stage
async def test_after_101_nothing_is_followed(stage: Stage) -> None:
    scene = await begin(stage, get("/a/ws", "Upgrade: websocket", "Connection: Upgrade") + b"early")
    await until(lambda: scene.server.received)
    assert b"early" not in scene.server.received
    other, transport = Other(), scene.server.transport
    other.transport = transport
    transport.set_protocol(other)
    assert transport.get_protocol() is other
    await scene.answered(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
    await until(lambda: other.received == b"early")
    scene.client.send(get("/b/"))
    await until(lambda: other.received == b"early" + get("/b/"))
    stage.accepted[0].on_drain()
    assert not other.lost
    stage.accepted[0].on_expire()
    assert scene.goodbyes == [other]
    scene.client.sock.shutdown(socket.SHUT_WR)
    await until(lambda: other.lost)
    assert other.received.endswith(b"<eof>")


class Buffered(asyncio.BufferedProtocol):
    """Takes a few bytes at a time."""

    def __init__(self) -> None:
        self.buffer, self.received = bytearray(5), b""

    def get_buffer(self, sizehint: int) -> bytearray:
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.received += self.buffer[:nbytes]


@on_stage
async def test_a_buffered_protocol_is_fed_too(stage: Stage) -> None:
    server: Any = Buffered()
    await begin(stage, get("/a/1"), server=server)
    await until(lambda: server.received == get("/a/1"))
