"""Clients that ask without pause, each request with a number of its own, and remember what became of each."""

import asyncio
import contextlib
import itertools
import time
from collections import Counter
from dataclasses import dataclass, field

__all__ = ["Asked", "Load"]

TIMEOUT = 30.0
"""Seconds for an answer; more than any fault lasts."""


@dataclass
class Asked:
    """One request."""

    number: int
    port: int
    """The client's own, by which the router's log knows the connection."""
    result: str = "lost"
    """`right`, `wrong`, `lost` (no whole answer), or `refused` (no connection)."""
    why: str = ""


@dataclass
class Load:
    """Half of the clients keep their connection, half open one for each request; none of them ever asks twice."""

    host: str
    port: int
    path: str
    body: bytes
    clients: int = 24
    asked: list[Asked] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._numbers = itertools.count(1)
        self._mark = f"{time.time_ns():x}"
        self._end = False

    def uri(self, asked: Asked) -> str:
        """What stands in the service's log, once for each time that the request was answered."""
        return f"{self.path}?n={self._mark}-{asked.number}"

    @property
    def counts(self) -> Counter[str]:
        return Counter(asked.result for asked in self.asked)

    async def run(self) -> None:
        """Until `end` is called."""
        await asyncio.gather(*(self._client(number % 2 == 0) for number in range(self.clients)))

    def end(self) -> None:
        """Ask nothing more; what is under way is waited for."""
        self._end = True

    async def _client(self, keep: bool) -> None:
        stream: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        while not self._end:
            asked = Asked(next(self._numbers), 0)
            self.asked.append(asked)
            try:
                async with asyncio.timeout(TIMEOUT):
                    if stream is None:
                        try:
                            stream = await asyncio.open_connection(self.host, self.port)
                        except OSError as error:
                            asked.result, asked.why = "refused", repr(error)
                            await asyncio.sleep(0.05)
                            continue
                    asked.port = stream[1].get_extra_info("sockname")[1]
                    stays = await self._ask(asked, *stream, keep)
            except (OSError, EOFError, ValueError, TimeoutError) as error:
                asked.why, stays = f"{'kept' if keep else 'fresh'}: {error!r}", False
            if not stays and stream is not None:
                stream[1].close()
                stream = None
            await asyncio.sleep(0)
        if stream is not None:
            stream[1].close()
            with contextlib.suppress(OSError):
                await stream[1].wait_closed()

    async def _ask(self, asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, keep: bool) -> bool:
        close = "" if keep else "Connection: close\r\n"
        writer.write(f"GET {self.uri(asked)} HTTP/1.1\r\nHost: portico.test\r\n{close}\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
        body = await reader.readexactly(int(fields.get("content-length", "0")))
        right = head.startswith("HTTP/1.1 200 ") and body == self.body
        asked.result = "right" if right else "wrong"
        if not right:
            asked.why = head.split("\r\n", 1)[0]
        return keep and "close" not in fields.get("connection", "")
