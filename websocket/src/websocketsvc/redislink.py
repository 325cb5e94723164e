"""The link to a Redis: redis-py, on an event loop in a thread of its own, for a reactor that may be any of Twisted's.

Two connections: one for scripts, one for the feed. They live and die together, so whoever is told that the link is back knows
that steps may have been missed. Scripts go out in the order in which they were asked for, those that wait in one piece. None is
tried twice: what was under way when the link went fails, and may have been done all the same.
"""

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from threading import Thread
from typing import Any

from redis.asyncio import ConnectionPool
from redis.exceptions import RedisError, ResponseError
from twisted.internet.defer import Deferred, fail
from twisted.logger import Logger

from .backplane import BrokerAway, Refused, shown
from .redissession import Job, Session

__all__ = ["WAITING", "Link"]

PAUSES = (0.1, 3.0)
"""Seconds between two tries to connect, at first and at most; doubled each time, and at random up to twice as long."""
WAITING = 2000
"""Scripts that may wait for their answers; one more fails at once."""
STOP_TIME = 1.0
"""Seconds at the end for what still waits."""


class Link:
    """See the module's text. All methods are for the reactor's thread."""

    log = Logger()

    def __init__(self, address: str, names: str, replica: str, reactor: Any) -> None:
        """
        Raises:
            TypeError: the address is malformed.
        """
        try:
            ConnectionPool.from_url(address).make_connection()  # connects nowhere
        except (ValueError, TypeError, RedisError):
            raise TypeError("backplane: the address is malformed") from None
        self._address, self._names, self._replica, self._reactor = address, names, replica, reactor
        self._where = shown(address)
        self._up = self._stopped = False
        self._told_away = ""
        self._waiting = 0
        self._loop = asyncio.new_event_loop()
        self._jobs: asyncio.Queue[Job | None] = asyncio.Queue()
        self._thread = Thread(target=self._run, name="backplane", daemon=True)

    def start(self, heard: Callable[[str, bytes], None], back: Callable[[], None]) -> None:
        """`heard` is called with a room and a line of its feed, `back` when the link is there (again)."""
        self._heard, self._back = heard, back
        self._thread.start()

    def stop(self) -> None:
        """What waits is still sent, for a moment."""
        last_words, self._stopped, self._up = self._up, True, False
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._jobs.put_nowait if last_words else self._give_up, None)
            self._thread.join(STOP_TIME)

    def call(self, room: str, script: str, *arguments: Any) -> "Deferred[Any]":
        """Run a script on a room. Fails with BrokerAway or Refused."""
        return self._ask(Job(room, script, arguments))

    def listen(self, room: str, script: str, *arguments: Any) -> "Deferred[Any]":
        """The same, when the feed brings the room's steps."""
        return self._ask(Job(room, script, arguments, listen=True))

    def unlisten(self, room: str) -> None:
        """The feed need not bring them any more."""
        if self._up:
            self._put(Job(room))

    def _ask(self, job: Job) -> "Deferred[Any]":
        if not self._up:
            return fail(BrokerAway("the broker is away"))
        if self._waiting >= WAITING:
            return fail(BrokerAway("the broker is slow"))
        self._put(job)
        return job.result

    def _put(self, job: Job) -> None:
        self._waiting += 1
        self._loop.call_soon_threadsafe(self._jobs.put_nowait, job)

    # -- called from the thread

    def _answer(self, answers: list[tuple[Job, Any]]) -> None:
        self._waiting -= len(answers)
        for job, answer in answers:
            if self._stopped:
                continue
            if not isinstance(answer, Exception):
                job.result.callback(answer)
            elif isinstance(answer, ResponseError) and str(answer).startswith("REFUSED "):
                job.result.errback(Refused(str(answer).removeprefix("REFUSED ")))
            elif job.script:
                job.result.errback(answer if isinstance(answer, BrokerAway) else BrokerAway(f"the broker says: {answer}"))

    def _feed(self, room: str, line: bytes) -> None:
        if not self._stopped:
            self._heard(room, line)

    def _linked(self) -> None:
        if not self._stopped:
            self.log.info("the backplane is there: {where}", where=self._where)
            self._up, self._told_away = True, ""
            self._back()

    def _away(self, why: str) -> None:
        self._up = False
        if not self._stopped and why != self._told_away:
            self._told_away = why
            self.log.warn("the backplane is away: {where}: {why}", where=self._where, why=why)

    # -- in the thread

    def _run(self) -> None:
        with suppress(asyncio.CancelledError), asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._live())

    def _give_up(self, _: None = None) -> None:
        for task in asyncio.all_tasks(self._loop):
            task.cancel()

    def _to_reactor(self, function: Callable[..., None], *arguments: Any) -> None:
        self._reactor.callFromThread(function, *arguments)

    def _answered(self, answers: list[tuple[Job, Any]]) -> None:
        self._to_reactor(self._answer, answers)

    def _brought(self, room: str, line: bytes) -> None:
        self._to_reactor(self._feed, room, line)

    async def _live(self) -> None:
        pause, longest = PAUSES
        while True:
            session = Session(self._address, self._names, self._replica, self._jobs, self._answered, self._brought)
            try:
                await session.begin()
                self._fail_all(session)
                self._to_reactor(self._linked)
                await session.run()
                return
            except Exception as problem:  # whatever it is, the rooms must come back
                self._to_reactor(self._away, str(problem) or type(problem).__name__)
            finally:
                self._fail_all(session)
                await session.end()
            pause = PAUSES[0] if session.linked else min(pause * 2, longest)
            await asyncio.sleep(pause * random.uniform(1, 2))  # noqa: S311 # no secret
            self._fail_all(session)

    def _fail_all(self, session: Session) -> None:
        """What is under way, and what waits."""
        jobs, session.batch = session.batch, []
        while not self._jobs.empty():
            job = self._jobs.get_nowait()
            if job is None:
                self._give_up()
            else:
                jobs.append(job)
        if jobs:
            self._answered([(job, BrokerAway("the broker is away")) for job in jobs])
