"""A look at the routers' status: in this process by a call, elsewhere by the sockets that routers have in a shared folder.

Those sockets (`status_folder` in the router's `[admin]`) answer `GET /status` and nothing else, so nothing can be changed here.
"""

from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

import msgspec
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.endpoints import UNIXClientEndpoint
from twisted.internet.error import ConnectionAborted
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

__all__ = ["ANSWER_TIME", "LARGEST_ANSWER", "MOST_ROUTERS", "Look", "look_at"]

ANSWER_TIME = 2.0
"""Seconds for a router to answer; one that does not is left out."""
LARGEST_ANSWER = 1 << 20
"""Bytes of a router's answer."""
MOST_ROUTERS = 64
"""Sockets that are asked; a folder may hold more."""

Status = dict[str, Any]
Look = Callable[[], Coroutine["Deferred[Any]", Any, list[Status]]]
"""Gives the status of each router that answers, as its `/status` has it."""


def look_at(status: Callable[[], Mapping[str, object]] | None, folder: Path | None, reactor: Any) -> Look:
    """A look at the router of this process, at those with a socket in `folder`, or at none."""

    async def here() -> list[Status]:
        assert status is not None
        return [dict(status())]

    async def nowhere() -> list[Status]:
        return []

    async def elsewhere() -> list[Status]:
        assert folder is not None
        asked = [_ask(path, reactor) for path in sorted(folder.glob("*.sock"))[:MOST_ROUTERS]]
        answers = await DeferredList(asked, consumeErrors=True)
        return [answer for succeeded, answer in answers if succeeded]

    return here if status is not None else nowhere if folder is None else elsewhere


def _ask(path: Path, reactor: Any) -> "Deferred[Status]":
    factory = Factory.forProtocol(_Answer)
    factory.noisy = False  # or there were two lines in the log for each look
    asking: Deferred[Any] = UNIXClientEndpoint(reactor, str(path), timeout=ANSWER_TIME).connect(factory)
    return asking.addCallback(lambda answer: answer.whole).addTimeout(ANSWER_TIME, reactor).addCallback(_read)


class _Answer(Protocol):
    """Asks at once; `whole` fires with all bytes of the answer."""

    def __init__(self) -> None:
        self.whole: Deferred[bytes] = Deferred(lambda _: self._abort())
        self._data = bytearray()

    def _abort(self) -> None:
        if self.transport is not None:
            self.transport.abortConnection()  # type: ignore[attr-defined]

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.write(b"GET /status HTTP/1.0\r\n\r\n")  # 1.0: an answer without chunks

    def dataReceived(self, data: bytes) -> None:
        self._data += data
        if len(self._data) > LARGEST_ANSWER:
            self._abort()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if not self.whole.called:
            if reason.check(ConnectionAborted):
                self.whole.errback(reason)
            else:
                self.whole.callback(bytes(self._data))


def _read(data: bytes) -> Status:
    head, _, body = data.partition(b"\r\n\r\n")
    if head[8:13] != b" 200 ":
        raise ValueError("a router's status is not 200")
    found: Status = msgspec.json.decode(body, type=dict[str, Any])
    return found
