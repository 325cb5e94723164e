"""One connection of the link to a Redis, from its beginning to its end: scripts, the feed, signs of life. On asyncio."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from twisted.internet.defer import Deferred

from .redisscripts import BEAT

__all__ = ["ALIVE", "ANSWER_TIME", "AT_ONCE", "SILENCE", "Job", "Session"]

ANSWER_TIME = 3.0
"""Seconds for a connection, and for an answer; then the link is given up and made anew."""
BEAT_EACH = 2.0
"""Seconds between two signs of life."""
ALIVE = 10
"""Seconds after its last one that a replica is taken for dead."""
SILENCE = 7.0
"""Seconds in which the feed brings nothing, not even the sign of life; then the link is given up."""
AT_ONCE = 64
"""Scripts in one piece."""
CANCEL_EACH = 0.1
"""Seconds between two tries to cancel a task at the end of a session."""


@dataclass(slots=True)
class Job:
    """Something to do. `result` belongs to the reactor's thread."""

    room: str
    script: str = ""
    """Empty: the room's steps need not be brought any more."""
    arguments: tuple[Any, ...] = ()
    listen: bool = False
    """Whether the feed has to bring the room's steps before it is run."""
    result: "Deferred[Any]" = field(default_factory=Deferred)


class Session:
    """See the module's text. `batch` is what is under way."""

    def __init__(
        self, address: str, names: str, replica: str, jobs: "asyncio.Queue[Job | None]",
        answered: Callable[[list[tuple[Job, Any]]], None], heard: Callable[[str, bytes], None],
    ) -> None:  # fmt: skip
        """`answered` and `heard` are called in the loop's thread. A job that is None ends the session."""
        self._names, self._replica, self._jobs, self._answered, self._heard = names, replica, jobs, answered, heard
        self.linked = False
        self.batch: list[Job] = []
        self._redis = Redis.from_url(
            address, protocol=2, socket_timeout=ANSWER_TIME, socket_connect_timeout=ANSWER_TIME,
            retry=Retry(NoBackoff(), 0), health_check_interval=0, client_name="portico-rooms",
        )  # fmt: skip
        self._feed = self._redis.pubsub()
        self._prefix = f"{names}:".encode()
        self._coming: dict[bytes, asyncio.Future[None]] = {}
        self._listened: set[bytes] = set()

    async def begin(self) -> None:
        """Connect.

        Raises:
            redis.exceptions.RedisError, OSError, TimeoutError: it cannot be reached.
        """
        await self._feed.subscribe(self._channel(f"alive:{self._replica}"))
        await self._beat()
        self.linked = True

    async def run(self) -> None:
        """Until a job says that it is enough.

        Raises:
            redis.exceptions.RedisError, OSError, TimeoutError: the link is gone.
        """
        tasks = [asyncio.create_task(each()) for each in (self._work, self._read, self._live)]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            await _cancelled(tasks)

    async def end(self) -> None:
        """Close both connections."""
        with suppress(RedisError, OSError, TimeoutError):
            await self._feed.aclose()
            await self._redis.aclose()

    def _channel(self, room: str) -> bytes:
        return self._prefix + room.encode()

    async def _live(self) -> None:
        while True:
            await asyncio.sleep(BEAT_EACH)
            await self._beat()

    async def _beat(self) -> None:
        await self._redis.execute_command("EVAL", BEAT, 2, self._names, self._replica, ALIVE)

    async def _read(self) -> None:
        while True:
            message = await self._feed.get_message(timeout=SILENCE)
            if message is None:
                raise TimeoutError("the feed is silent")
            channel = message["channel"]
            if message["type"] == "message" and channel in self._listened:
                self._heard(channel.removeprefix(self._prefix).decode(), message["data"])
            elif message["type"] == "subscribe" and channel in self._coming:
                self._coming.pop(channel).set_result(None)

    async def _work(self) -> None:
        jobs = self._jobs
        while True:
            job = await jobs.get()
            while job is not None:
                self.batch.append(job)
                if jobs.empty() or len(self.batch) >= AT_ONCE:
                    break
                job = jobs.get_nowait()
            await self._do(self.batch)
            if job is None:
                return

    async def _do(self, batch: list[Job]) -> None:
        await self._tune(batch)
        scripts = [job for job in batch if job.script]
        pipe = self._redis.pipeline(transaction=False)
        for job in scripts:
            pipe.execute_command("EVAL", job.script, 2, self._names, job.room, *job.arguments)
        answers = await pipe.execute(raise_on_error=False) if scripts else []
        found = [*zip(scripts, answers, strict=True), *((job, None) for job in batch if not job.script)]
        self.batch = []
        self._answered(found)

    async def _tune(self, batch: list[Job]) -> None:
        """The feed brings what the batch wants before any script of it is run."""
        for job in batch:
            channel = self._channel(job.room)
            if not job.script and channel in self._listened:
                self._listened.remove(channel)
                await self._feed.unsubscribe(channel)
            elif job.listen and channel not in self._listened:
                self._listened.add(channel)
                self._coming[channel] = asyncio.get_running_loop().create_future()
                await self._feed.subscribe(channel)
        if self._coming:
            await asyncio.wait_for(asyncio.gather(*self._coming.values()), ANSWER_TIME)


async def _cancelled(tasks: "list[asyncio.Task[None]]") -> None:
    """Cancel tasks until they are. Once is not enough: where an answer or a timeout comes in the same moment, which it does for
    a process that was stopped for a while, the cancellation is lost in it (`wait_for` until Python 3.12, the client)."""
    while running := [task for task in tasks if not task.done()]:
        for task in running:
            task.cancel()
        await asyncio.wait(running, timeout=CANCEL_EACH)
    await asyncio.gather(*tasks, return_exceptions=True)
