"""Clients that ask without pause, each request with a number of its own, and remember what became of each."""

import asyncio
import contextlib
import itertools
import random
import time
from collections import Counter
from dataclasses import dataclass, field

__all__ = ["KINDS", "SLOW_KINDS", "Asked", "Load", "Page"]

TIMEOUT = 55.0
"""Seconds for an answer; more than any fault lasts, and less than any idle timeout."""

KINDS = ("kept", "fresh", "crossing", "half-closed")
"""Clients in turn: one connection for all requests; one for each; one that goes from service to service, so that it is handed
back each time; one for each whose client ends its side with the request and reads to the end."""
SLOW_KINDS = ("late", "in pieces")
"""One connection for each, too: opened and then silent for up to `LATE` seconds; a head that comes in two pieces, up to `GAP`
seconds apart."""
LATE, GAP = 1.5, 0.1


@dataclass(frozen=True)
class Page:
    """What is asked for, and the right answer."""

    service: str
    path: str
    body: bytes


@dataclass
class Asked:
    """One request. Times are of the clock that the logs have too, in seconds."""

    number: int
    page: Page
    before: Page | None = None
    """What was answered last on the same connection: that service has it."""
    connected: float = 0.0
    """Just before its connection was opened."""
    began: float = 0.0
    ended: float = 0.0
    port: int = 0
    """The client's own; with the times it tells the router's lines of this connection from those of others."""
    result: str = "lost"
    """`right`, `wrong`, `lost` (no whole answer), or `refused` (no connection)."""
    why: str = ""


@dataclass
class Load:
    """The clients; none of them ever asks twice."""

    host: str
    port: int
    pages: tuple[Page, Page]
    """Of two services; the first is asked for most of the time."""
    clients: int = 24
    kinds: tuple[str, ...] = KINDS
    asked: list[Asked] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._numbers = itertools.count(1)
        self._mark = f"{time.time_ns():x}"
        self._end = False

    def uri(self, asked: Asked) -> str:
        """What stands in the service's log, once for each time that the request was answered."""
        return f"{asked.page.path}?n={self._mark}-{asked.number}"

    @property
    def counts(self) -> Counter[str]:
        return Counter(asked.result for asked in self.asked)

    async def run(self) -> None:
        """Until `end` is called."""
        await asyncio.gather(*(self._client(self.kinds[number % len(self.kinds)]) for number in range(self.clients)))

    def end(self) -> None:
        """Ask nothing more; what is under way is waited for."""
        self._end = True

    async def _client(self, kind: str) -> None:
        stream: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        connected, before = 0.0, None
        pages = itertools.cycle(self.pages if kind == "crossing" else self.pages[:1])
        while not self._end:
            asked = Asked(next(self._numbers), next(pages), began=time.time())
            self.asked.append(asked)
            try:
                async with asyncio.timeout(TIMEOUT):
                    if stream is None:
                        connected, before = time.time(), None
                        try:
                            stream = await asyncio.open_connection(self.host, self.port)
                        except OSError as error:
                            asked.result, asked.why = "refused", repr(error)
                            await asyncio.sleep(0.05)
                            continue
                    asked.connected, asked.before = connected, before
                    asked.port = stream[1].get_extra_info("sockname")[1]
                    stays = await self._ask(asked, *stream, kind)
                    before = asked.page
            except (OSError, EOFError, ValueError, TimeoutError) as error:
                asked.why, stays = f"{kind}: {error!r}", False
            asked.ended = time.time()
            if not stays and stream is not None:
                stream[1].close()
                stream = None
            await asyncio.sleep(0)
        if stream is not None:
            stream[1].close()
            with contextlib.suppress(OSError):
                await stream[1].wait_closed()

    async def _ask(self, asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, kind: str) -> bool:
        close = "Connection: close\r\n" if kind in ("fresh", *SLOW_KINDS) else ""
        request = f"GET {self.uri(asked)} HTTP/1.1\r\nHost: portico.test\r\n{close}\r\n".encode()
        if kind == "late":
            await asyncio.sleep(random.uniform(0, LATE))
        elif kind == "in pieces":
            writer.write(request[:20])
            request = request[20:]
            await asyncio.sleep(random.uniform(0, GAP))
        writer.write(request)
        if kind == "half-closed":
            writer.write_eof()
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
        body = await reader.readexactly(int(fields.get("content-length", "0")))
        if kind == "half-closed":
            body += await reader.read()  # nothing, and the end at once
        right = head.startswith("HTTP/1.1 200 ") and body == asked.page.body
        asked.result = "right" if right else "wrong"
        if not right:
            asked.why = f"{kind}: " + head.split("\r\n", 1)[0]
        return kind in ("kept", "crossing") and "close" not in fields.get("connection", "")
