"""Uploads and WebSockets without pause, for as long as daemons are restarted; requests are those of `tests.faults`."""

import asyncio
import contextlib
import itertools
from base64 import b64encode
from collections import Counter
from dataclasses import dataclass, field

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from ..faults.load import Asked, Load, Page

__all__ = ["Clients"]

PIECES, PIECE = 10, b"0123456789abcdef" * 1024
"""An upload's body, sent piece by piece with a rest between."""
REST = 0.05
"""Seconds."""
TIMEOUT = 45.0
GOING_AWAY = 1001


@dataclass
class Clients:
    """All of them; none asks twice for the same."""

    port: int
    requests: int = 12
    uploads: int = 3
    websockets: int = 10
    host: str = "127.0.0.1"
    login: str = ""
    """`USER:PASSWORD` of uploads, where they need one."""
    counts: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        pages = (Page("static", "/static/a.txt", b"a file\n"), Page("uploads", "/uploads/page", b"a page\n"))
        self.load = Load(self.host, self.port, pages, self.requests)
        self._ended = False
        self._restarting = ""

    async def run(self) -> None:
        """Until `end`."""
        uploads = [self._uploads(number) for number in range(self.uploads)]
        websockets = [self._websocket(number) for number in range(self.websockets)]
        await asyncio.gather(self.load.run(), *uploads, *websockets)

    def end(self) -> None:
        """Nothing new; what is under way is waited for."""
        self._ended = True
        self.load.end()

    async def put_page(self) -> None:
        """What the requests of the second page ask for."""
        await self._put("page", [b"a page\n"])

    # -- uploads

    async def _uploads(self, client: int) -> None:
        for number in itertools.count():
            if self._ended:
                return
            try:
                async with asyncio.timeout(TIMEOUT):
                    status = await self._put(f"{client}-{number}", [PIECE] * PIECES)
            except (OSError, EOFError, TimeoutError) as error:
                self.problems.append(f"upload {client}-{number}: {error!r}")
                self.counts["uploads lost"] += 1
                continue
            self.counts["uploads"] += status == 201
            if status != 201:
                self.problems.append(f"upload {client}-{number}: {status}")

    async def _put(self, name: str, pieces: list[bytes]) -> int:
        reader, writer = await asyncio.open_connection(self.host, self.port)
        size = sum(map(len, pieces))
        login = f"Authorization: Basic {b64encode(self.login.encode()).decode()}\r\n" if self.login else ""
        head = f"PUT /uploads/{name} HTTP/1.1\r\nHost: h\r\n{login}Content-Length: {size}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode())
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            if len(pieces) > 1:
                await asyncio.sleep(REST)
        answer = await reader.readuntil(b"\r\n\r\n")
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        return int(answer.split(b" ", 2)[1])

    # -- WebSockets

    async def _websocket(self, client: int) -> None:
        while not self._ended:
            try:
                async with connect(f"ws://{self.host}:{self.port}/ws/autobahn/echo", open_timeout=TIMEOUT) as websocket:
                    self.counts["WebSockets"] += 1
                    for number in itertools.count():
                        if self._ended:
                            return
                        said = f"{client}-{number}"
                        await websocket.send(said)
                        async with asyncio.timeout(TIMEOUT):
                            heard = await websocket.recv()
                        if heard != said:
                            self.problems.append(f"WebSocket {said}: heard {heard!r}")
                        self.counts["echoes"] += 1
                        await asyncio.sleep(REST)
            except ConnectionClosed as closed:
                code = closed.rcvd.code if closed.rcvd is not None else None
                self.counts[f"WebSockets closed with {code}"] += 1
                if code != GOING_AWAY:
                    self.problems.append(f"WebSocket {client}: {closed!r}")
            except (OSError, TimeoutError, WebSocketException) as error:
                self.problems.append(f"WebSocket {client}: {error!r}")

    # -- what became of it

    def lost(self) -> list[str]:
        """Requests that should not have been lost."""
        bad = [asked for asked in self.load.asked if asked.result not in ("right", "") and not _may_be_lost(asked)]
        return [f"{asked.result} {asked.why}" for asked in bad]

    def allowed(self) -> Counter[str]:
        """Requests that may be lost, by what became of them."""
        return Counter(asked.why for asked in self.load.asked if _may_be_lost(asked))


def _may_be_lost(asked: Asked) -> bool:
    """One on a kept connection that was closed meanwhile, with no byte answered: RFC 9112 section 9.3.1."""
    if asked.before is None or asked.result == "wrong":
        return False
    return any(sign in asked.why for sign in ("0 bytes read", "ConnectionReset", "BrokenPipe"))
