"""Rooms on a broker in memory, and their members as connections of nobody."""

import json
from typing import Any

from twisted.internet.task import Clock
from websocketsvc.roomoptions import RoomOptions
from websocketsvc.roomwords import Join, Publish
from websocketsvc.sharedhub import SharedHub

from .memory_broker import Memory

__all__ = ["Member", "shared_hub"]


class Member:
    """A connection."""

    def __init__(self, hub: SharedHub, name: str, room: str = "lobby", **word: Any) -> None:
        self.ended: list[tuple[int, str]] = []
        self._told: list[dict[str, Any]] = []
        self.all: list[dict[str, Any]] = []
        self.seat: Any = None
        self.problem: Any = None
        self.coming = hub.enter(room, self, Join(name=name, client=f"secret of {name}", **word), None)
        self.coming.addCallbacks(self._seated, self._failed)

    def _seated(self, seat: Any) -> None:
        self.seat = seat

    def _failed(self, failure: Any) -> None:
        self.problem = failure.value

    def tell(self, text: bytes) -> None:
        word = json.loads(text)
        self._told.append(word)
        self.all.append(word)

    def end(self, code: int, reason: str) -> None:
        self.ended.append((code, reason))
        self.leave()

    def say(self, data: Any, name: str | None = None) -> None:
        self.seat.publish(Publish(id=name or str(data), data=data))

    def leave(self) -> None:
        if self.seat is not None:
            self.seat.leave()

    def heard(self) -> list[Any]:
        """What was told since the last time, in short."""
        told, self._told = self._told, []
        return [_short(word) for word in told]


def _short(word: dict[str, Any]) -> Any:
    if word["type"] == "message":
        return (word["seq"], word["data"])
    if word["type"] == "ack":
        return f"ack {word['id']} {word['seq']}"
    if word["type"] == "presence":
        return f"{word['name']} {word['event']} {word['count']}"
    if word["type"] == "error":
        return f"{word['code']} {word['id']}"
    return ("joined", word["seq"], word["missed"], sorted(each["name"] for each in word["members"]))


def shared_hub(memory: Memory, clock: Clock, **options: Any) -> SharedHub:
    """A replica that has begun."""
    hub = SharedHub("", "", RoomOptions(**options), clock, memory.connect, lambda: 1790000000.1234)
    hub.start()
    return hub
