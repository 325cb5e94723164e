"""Many WebSockets that stay open while other things come and go: none may be cut."""

import asyncio
import os
import struct
from collections.abc import Awaitable, Callable

from ..support.compose import Compose
from .runs import Stage

__all__ = ["EVENTS", "Held", "hold"]

HANDSHAKE = (
    "GET /ws/autobahn/echo HTTP/1.1\r\nHost: portico.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
TIMEOUT = 60.0
"""Seconds for an echo."""
OPENED_AT_ONCE = 50


class Held:
    """One WebSocket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._heard: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._task = asyncio.create_task(self._read())

    @classmethod
    async def open(cls, host: str, port: int) -> "Held":
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(HANDSHAKE.encode())
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 "), head
        return cls(reader, writer)

    async def echoes(self, text: bytes) -> bool:
        """Whether it lives: what is said comes back."""
        try:
            async with asyncio.timeout(TIMEOUT):
                self._send(1, text)
                return await self._heard.get() == text
        except (OSError, TimeoutError):
            return False

    async def _read(self) -> None:
        """Answer pings, as the service takes a client that does not for a dead one."""
        kind = 0
        try:
            while kind != 8:
                kind, payload = await self._frame()
                if kind == 9:
                    self._send(10, payload)
                elif kind == 1:
                    self._heard.put_nowait(payload)
        except (OSError, EOFError):
            pass
        self._heard.put_nowait(None)

    def _send(self, kind: int, payload: bytes) -> None:
        mask = os.urandom(4)
        masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
        self._writer.write(bytes((0x80 | kind, 0x80 | len(payload))) + mask + masked)

    async def _frame(self) -> tuple[int, bytes]:
        first, size = await self._reader.readexactly(2)
        if size == 126:
            (size,) = struct.unpack(">H", await self._reader.readexactly(2))
        return first & 15, await self._reader.readexactly(size)

    def close(self) -> None:
        self._task.cancel()
        self._writer.close()


async def _other_services(stage: Stage) -> None:
    await stage.scale(3)
    await stage.scale(1)


async def _router_dies(stage: Stage) -> None:
    await asyncio.to_thread(stage.compose.crash, "router")
    await asyncio.to_thread(stage.compose.wait_healthy, "router")


async def _router_is_replaced(stage: Stage) -> None:
    command = ("up", "--detach", "--no-build", "--no-deps", "--force-recreate", "--wait", "router")
    await asyncio.to_thread(stage.compose.call, *command, seconds=120.0)


EVENTS: dict[str, Callable[[Stage], Awaitable[None]]] = {
    "another service is scaled to three and back": _other_services,
    "the router is killed": _router_dies,
    "the router's container is replaced": _router_is_replaced,
}


async def hold(compose: Compose, count: int) -> dict[str, int]:
    """Open so many, let each event happen, and count those that live after it."""
    held: list[Held] = []
    living: dict[str, int] = {}
    try:
        while len(held) < count:
            fresh = min(OPENED_AT_ONCE, count - len(held))
            held += await asyncio.gather(*(Held.open("127.0.0.1", compose.port) for _ in range(fresh)))
        for name, event in {"they are open": _nothing, **EVENTS}.items():
            await event(Stage(compose, 0))
            echoed = await asyncio.gather(
                *(each.echoes(b"%d %s" % (number, name.encode())) for number, each in enumerate(held))
            )
            living[name] = sum(echoed)
    finally:
        for each in held:
            each.close()
    return living


async def _nothing(stage: Stage) -> None:
    pass
