"""A member of a room as docs/websocket.md asks of one: it comes back with what it has, and says again what has no ack."""

import asyncio
import contextlib
import json
import random
import time
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage

__all__ = ["Member"]

ANSWER_TIME = 30.0
"""Seconds for any answer; the machine may have much else to do."""


@dataclass
class Member:
    """One client, and what it has seen."""

    url: str
    name: str
    speak: asyncio.Event
    """While it is set, the member speaks."""
    padding: int = 0
    """Bytes that each message is longer."""
    took: list[float] = field(default_factory=list)
    """Seconds from a message to its acknowledgement, where it was said once."""
    acknowledged: dict[int, str] = field(default_factory=dict)
    """Text by number."""
    heard: list[tuple[int, str]] = field(default_factory=list)
    said: int = 0
    refused: int = 0
    """Messages that were `unavailable` or `too-fast`, and said again."""
    connections: int = 0
    codes: dict[int, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    _epoch: str | None = None
    _said_at: dict[str, float] = field(default_factory=dict)
    _unacknowledged: dict[str, str] = field(default_factory=dict)

    @property
    def last(self) -> int:
        return self.heard[-1][0] if self.heard else 0

    @property
    def settled(self) -> bool:
        """Whether nothing that it said is still to be acknowledged."""
        return not self._unacknowledged

    async def live(self) -> None:
        """Until it is cancelled."""
        while True:
            try:
                async with connect(self.url, open_timeout=ANSWER_TIME, close_timeout=1, ping_interval=None) as websocket:
                    self.connections += 1
                    await self._converse(websocket)
            except ConnectionClosed as closed:
                code = closed.rcvd.code if closed.rcvd is not None else 1006
                self.codes[code] = self.codes.get(code, 0) + 1
            except (OSError, InvalidHandshake, InvalidMessage, EOFError, TimeoutError) as problem:
                self.codes[0] = self.codes.get(0, 0) + 1
                if self.codes[0] > 200:
                    self.problems.append(f"{self.name} cannot connect: {problem!r}")
                    return
            await asyncio.sleep(random.uniform(0.05, 0.3))

    async def _converse(self, websocket: Any) -> None:
        word: dict[str, object] = {"type": "join", "name": self.name, "client": f"secret of {self.name}"}
        if self._epoch is not None:
            word |= {"epoch": self._epoch, "since": self.last}
        await websocket.send(json.dumps(word))
        joined = json.loads(await asyncio.wait_for(websocket.recv(), ANSWER_TIME))
        if joined["type"] != "joined" or joined["missed"] or self._epoch not in (None, joined["epoch"]):
            self.problems.append(f"{self.name}: {joined}")
        self._epoch = joined["epoch"]
        self._said_at.clear()
        for name, text in list(self._unacknowledged.items()):
            await self._say(websocket, name, text)
        speaking = asyncio.create_task(self._speak(websocket))
        try:
            async for message in websocket:
                self._take(websocket, json.loads(message))
            code = websocket.close_code or 1006
            self.codes[code] = self.codes.get(code, 0) + 1
        finally:
            speaking.cancel()

    async def _speak(self, websocket: Any) -> None:
        while True:
            await self.speak.wait()
            self.said += 1
            name, text = str(self.said), f"{self.name} says {self.said}{' ' * self.padding}"
            self._unacknowledged[name] = text
            self._said_at[name] = time.monotonic()
            try:
                await self._say(websocket, name, text)
            except ConnectionClosed:
                return
            await asyncio.sleep(random.uniform(0.02, 0.2))

    @staticmethod
    async def _say(websocket: Any, name: str, text: str) -> None:
        await websocket.send(json.dumps({"type": "publish", "id": name, "data": text}))

    def _take(self, websocket: Any, word: dict[str, Any]) -> None:
        if word["type"] == "message":
            if word["seq"] != self.last + 1:
                self.problems.append(f"{self.name}: {word['seq']} after {self.last}")
            self.heard.append((word["seq"], word["data"]))
        elif word["type"] == "ack":
            text = self._unacknowledged.pop(word["id"], None)
            if word["id"] in self._said_at:
                self.took.append(time.monotonic() - self._said_at.pop(word["id"]))
            if text is not None:
                self.acknowledged[word["seq"]] = text
        elif word["type"] == "error" and word["code"] in ("unavailable", "too-fast"):
            self.refused += 1
            again = self._unacknowledged.get(word["id"])
            if again is not None:
                self._said_at.pop(word["id"], None)
                self._later = asyncio.create_task(self._say_later(websocket, word["id"], again))
        elif word["type"] == "error":
            self.problems.append(f"{self.name}: {word}")

    async def _say_later(self, websocket: Any, name: str, text: str) -> None:
        await asyncio.sleep(random.uniform(0.2, 0.5))
        with contextlib.suppress(ConnectionClosed):
            await self._say(websocket, name, text)
