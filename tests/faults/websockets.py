"""Many WebSockets that stay open while other things come and go: none may be cut."""

import asyncio
import os
import struct
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from ..support.compose import Compose
from ..support.site import ROOT
from .evidence import descriptors
from .stage import Stage

__all__ = ["EVENTS", "LONG_EVENTS", "Held", "Survival", "hold"]

HANDSHAKE = (
    "GET /ws/autobahn/echo HTTP/1.1\r\nHost: portico.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
TIMEOUT = 60.0
"""Seconds for an echo."""
OPENED_AT_ONCE = 50
CLOSING = 30.0
"""Seconds until the descriptors of those that have closed are closed everywhere."""
SPARE = 3
"""Descriptors that a process may have more for reasons of its own."""


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


async def _router_is_upgraded(stage: Stage) -> None:
    """As its user does it: `docker compose up -d --build router`, with something new to build."""
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as fresh:
        fresh.write(f"services: {{router: {{build: {{labels: {{portico.faults: '{time.time()}'}}}}}}}}\n")
        fresh.flush()
        files = ("--file", str(ROOT / "docker-compose.yml"), "--file", fresh.name)
        command = ("up", "--detach", "--build", "--wait", "router")
        before = stage.compose.container("router").id
        await asyncio.to_thread(stage.compose.call, *files, *command, seconds=300.0)
        assert stage.compose.container("router").id != before


Event = Callable[[Stage], Awaitable[None]]

EVENTS: dict[str, Event] = {
    "another service is scaled to three and back": _other_services,
    "the router is killed": _router_dies,
    "the router's container is replaced": _router_is_replaced,
}
LONG_EVENTS: dict[str, Event] = {**EVENTS, "the router is upgraded": _router_is_upgraded}


@dataclass
class Survival:
    """How many of `count` lived after each event, and the descriptors of the services before the first and after the last."""

    count: int
    living: dict[str, int] = field(default_factory=dict)
    before: dict[str, int] = field(default_factory=dict)
    after: dict[str, int] = field(default_factory=dict)

    @property
    def failures(self) -> list[str]:
        """What must not be."""
        cut = [f"{self.count - living} are cut: {event}" for event, living in self.living.items() if living != self.count]
        return cut + [
            f"{name}: {self.before[name]} descriptors before, {count} after"
            for name, count in self.after.items()
            if name in self.before and count > self.before[name] + SPARE
        ]

    def __str__(self) -> str:
        lines = [f"{living} of {self.count} live: {event}" for event, living in self.living.items()]
        told = f"descriptors before {self.before}, after {self.after}"
        return "\n".join([*lines, told, *(f"FAILED: {failure}" for failure in self.failures)])


async def hold(compose: Compose, count: int, events: Mapping[str, Event] = EVENTS) -> Survival:
    """Open so many, let each event happen, and count those that live after it."""
    held: list[Held] = []
    found = Survival(count, before=descriptors(compose, "router", "autobahn"))
    try:
        while len(held) < count:
            fresh = min(OPENED_AT_ONCE, count - len(held))
            held += await asyncio.gather(*(Held.open("127.0.0.1", compose.port) for _ in range(fresh)))
        for name, event in {"they are open": _nothing, **events}.items():
            await event(Stage(compose, 0))
            echoed = await asyncio.gather(
                *(each.echoes(b"%d %s" % (number, name.encode())) for number, each in enumerate(held))
            )
            found.living[name] = sum(echoed)
    finally:
        for each in held:
            each.close()
    end = time.monotonic() + CLOSING
    while time.monotonic() < end:
        await asyncio.sleep(0.5)
        found.after = descriptors(compose, "router", "autobahn")
        if not found.failures:
            break
    return found


async def _nothing(stage: Stage) -> None:
    pass
