"""A double of the auth service, and requests of those who write."""

from typing import Any

from svckit.auth import Asked, NoEntry
from twisted.internet.defer import CancelledError, Deferred

__all__ = ["BODY", "CHUNKED", "CONTINUE", "DELETE", "GET", "Writers", "put", "statuses"]

BODY = b"0123456789" * 100
PUT = b"PUT /uploads/x HTTP/1.1\r\nHost: x\r\nAuthorization: Basic YTpi\r\n%bContent-Length: %d\r\n\r\n"
CHUNKED = b"PUT /uploads/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
DELETE = b"DELETE /uploads/x HTTP/1.1\r\nHost: x\r\n\r\n"
GET = b"GET /uploads/x HTTP/1.1\r\nHost: x\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Writers:
    """Is asked, and answers when told; `at_once` is an answer without waiting."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.waiting: list[Deferred[Any]] = []
        self.at_once: bytes | NoEntry | None = None
        self.cancelled = 0

    async def user_of(self, asked: Asked) -> bytes | NoEntry:
        self.asked.append(asked)
        if self.at_once is not None:
            return self.at_once
        self.waiting.append(Deferred())
        try:
            found: bytes | NoEntry = await self.waiting[-1]
        except CancelledError:
            self.cancelled += 1
            raise
        return found

    def say(self, answer: bytes | NoEntry | Exception) -> None:
        self.waiting.pop(0).callback(answer) if not isinstance(answer, Exception) else self.waiting.pop(0).errback(answer)


def put(more: bytes = b"", size: int = len(BODY)) -> bytes:
    return PUT % (more, size)


def statuses(connection: Any) -> list[int]:
    return [status for status, _, _ in connection.answers()]
